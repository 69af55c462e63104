{{/* The spec of a claim for the store's data. */}}
{{- define "session-service.claimSpec" -}}
accessModes: [ReadWriteOnce]
{{- with .Values.store.persistence.storageClass }}
storageClassName: {{ . }}
{{- end }}
resources:
  requests: { storage: {{ .Values.store.persistence.size }} }
{{- end -}}
