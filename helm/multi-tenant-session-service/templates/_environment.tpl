{{/* The container's environment: each variable of the service comes from one value of the chart. */}}

{{- define "session-service.storeUrl" -}}
{{- if eq .Values.store.kind "sqlite" -}}
sqlite:/data/sessions.db
{{- else if eq .Values.store.kind "trial-redis" -}}
redis://{{ include "session-service.redisName" . }}:6379
{{- else -}}
{{ .Values.store.url }}
{{- end -}}
{{- end -}}

{{/* The variables that the Secret must have, as a JSON list: {"names": [...]} */}}
{{- define "session-service.secretVariables" -}}
{{- $names := list "ADMIN_API_KEY" -}}
{{- $names = append $names (ternary "VAULT_TOKEN" "MASTER_KEYS" .Values.vault.enabled) -}}
{{- if and (eq .Values.store.kind "redis") .Values.store.urlFromSecret -}}
{{- $names = append $names "STORE_URL" -}}
{{- end -}}
{{- if .Values.metrics.requireToken -}}
{{- $names = append $names "METRICS_TOKEN" -}}
{{- end -}}
{{- if and .Values.tracing.endpoint .Values.tracing.headersFromSecret -}}
{{- $names = append $names "OTEL_EXPORTER_OTLP_HEADERS" -}}
{{- end -}}
{{- dict "names" $names | toJson -}}
{{- end -}}

{{- define "session-service.environment" -}}
- { name: NODE_ENV, value: production }
- { name: PORT, value: '3000' }
- name: PUBLIC_URL
  value: {{ .Values.publicUrl | quote }}
{{- if not (and (eq .Values.store.kind "redis") .Values.store.urlFromSecret) }}
- name: STORE_URL
  value: {{ include "session-service.storeUrl" . | quote }}
{{- end }}
- name: REDIS_WAIT_REPLICAS
  value: {{ .Values.store.waitReplicas | quote }}
- name: WORKERS
  value: {{ .Values.workers | quote }}
- name: SHUTDOWN_DRAIN_SECONDS
  value: {{ .Values.shutdown.drainSeconds | quote }}
- name: SHUTDOWN_TIMEOUT_SECONDS
  value: {{ .Values.shutdown.timeoutSeconds | quote }}
{{- if .Values.vault.enabled }}
- { name: KEY_PROVIDER, value: vault }
- name: VAULT_ADDR
  value: {{ .Values.vault.address | quote }}
- name: VAULT_TRANSIT_MOUNT
  value: {{ .Values.vault.mount | quote }}
- name: VAULT_TRANSIT_KEY
  value: {{ .Values.vault.key | quote }}
{{- end }}
{{- with .Values.tracing }}
{{- if .endpoint }}
- name: OTEL_EXPORTER_OTLP_ENDPOINT
  value: {{ .endpoint | quote }}
- name: OTEL_SERVICE_NAME
  value: {{ include "session-service.fullname" $ | quote }}
- name: OTEL_TRACES_SAMPLER
  value: {{ .sampler | quote }}
- name: OTEL_TRACES_SAMPLER_ARG
  value: {{ .samplerArg | quote }}
{{- end }}
{{- end }}
{{- if .Values.store.caConfigMap }}
- { name: NODE_EXTRA_CA_CERTS, value: /etc/session-service/ca.crt }
{{- end }}
{{- range $name, $value := .Values.settings }}
- name: {{ $name }}
  {{- /* Large numbers of a values file are floats, which would be written as 5e+06. */}}
  value: {{ kindIs "float64" $value | ternary (toString (int64 $value)) (toString $value) | quote }}
{{- end }}
{{- $secret := include "session-service.secretName" . }}
{{- range (include "session-service.secretVariables" . | fromJson).names }}
- name: {{ . }}
  valueFrom:
    secretKeyRef: { name: {{ $secret }}, key: {{ . }} }
{{- end }}
{{- end -}}
