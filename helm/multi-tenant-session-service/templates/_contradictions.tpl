{{/*
Values that are each allowed and make no sense together, or are missing together with others: one sentence each, all
in one go. What a single value may be stands in values.schema.json.
*/}}
{{- define "session-service.refuseContradictions" -}}
{{- $problems := concat
  (include "session-service.identityProblems" . | fromJson).problems
  (include "session-service.storeProblems" . | fromJson).problems
  (include "session-service.scalingProblems" . | fromJson).problems
  (include "session-service.networkProblems" . | fromJson).problems -}}
{{- if $problems -}}
{{- fail (printf "\n\nThese values cannot be installed:\n  - %s\n" (join "\n  - " $problems)) -}}
{{- end -}}
{{- end -}}

{{- define "session-service.identityProblems" -}}
{{- $problems := list -}}
{{- if not .Values.publicUrl -}}
{{- $problems = append $problems "publicUrl is required: the URL under which resource servers reach the service, such as https://sessions.example.com." -}}
{{- end -}}
{{- with .Values.secrets -}}
{{- if and .existingSecret .externalSecret.enabled -}}
{{- $problems = append $problems "secrets.existingSecret and secrets.externalSecret.enabled exclude each other: choose one." -}}
{{- else if not (or .existingSecret .externalSecret.enabled) -}}
{{- $problems = append $problems (printf "secrets.existingSecret is required: the name of a Secret with %s (or set secrets.externalSecret.enabled)." (join ", " (include "session-service.secretVariables" $ | fromJson).names)) -}}
{{- end -}}
{{- if and .externalSecret.enabled (not (and .externalSecret.storeName .externalSecret.remoteKey)) -}}
{{- $problems = append $problems "secrets.externalSecret needs storeName and remoteKey." -}}
{{- end -}}
{{- end -}}
{{- if and .Values.vault.enabled (not (and .Values.vault.address .Values.vault.key)) -}}
{{- $problems = append $problems "vault.enabled needs vault.address and vault.key." -}}
{{- end -}}
{{- if and .Values.tracing.headersFromSecret (not .Values.tracing.endpoint) -}}
{{- $problems = append $problems "tracing.headersFromSecret needs tracing.endpoint: without it nothing is sent." -}}
{{- end -}}
{{- if and (not .Values.serviceAccount.create) (not .Values.serviceAccount.name) -}}
{{- $problems = append $problems "serviceAccount.name is required with serviceAccount.create: false." -}}
{{- end -}}
{{- dict "problems" $problems | toJson -}}
{{- end -}}

{{- define "session-service.storeProblems" -}}
{{- $problems := list -}}
{{- $store := .Values.store -}}
{{- if eq $store.kind "redis" -}}
{{- if and $store.url $store.urlFromSecret -}}
{{- $problems = append $problems "store.url and store.urlFromSecret exclude each other: choose one." -}}
{{- else if not (or $store.url $store.urlFromSecret) -}}
{{- $problems = append $problems "store.url is required with store.kind redis (or store.urlFromSecret, when it has credentials; or store.kind trial-redis, to try things out)." -}}
{{- end -}}
{{- else -}}
{{- if or $store.url $store.urlFromSecret -}}
{{- $problems = append $problems (printf "store.url and store.urlFromSecret belong to store.kind redis, not to %s." $store.kind) -}}
{{- end -}}
{{- if gt (int $store.waitReplicas) 0 -}}
{{- $problems = append $problems (printf "store.waitReplicas must be 0 with store.kind %s: it has no replicas, and every revocation would answer 503." $store.kind) -}}
{{- end -}}
{{- end -}}
{{- if eq $store.kind "sqlite" -}}
{{- if or .Values.autoscaling.enabled (ne (int .Values.replicas) 1) -}}
{{- $problems = append $problems "store.kind sqlite needs replicas: 1 and no autoscaling: the file belongs to one process." -}}
{{- end -}}
{{- if ne (int .Values.workers) 1 -}}
{{- $problems = append $problems "store.kind sqlite needs workers: 1: the file belongs to one process." -}}
{{- end -}}
{{- end -}}
{{- dict "problems" $problems | toJson -}}
{{- end -}}

{{- define "session-service.scalingProblems" -}}
{{- $problems := list -}}
{{- with .Values.autoscaling -}}
{{- if and .enabled (gt (int .minReplicas) (int .maxReplicas)) -}}
{{- $problems = append $problems "autoscaling.minReplicas must not be more than autoscaling.maxReplicas." -}}
{{- end -}}
{{- if and .enabled (not (dig "requests" "cpu" "" $.Values.resources)) -}}
{{- $problems = append $problems "autoscaling needs resources.requests.cpu: its target is a share of it." -}}
{{- end -}}
{{- end -}}
{{- dict "problems" $problems | toJson -}}
{{- end -}}

{{- define "session-service.networkProblems" -}}
{{- $problems := list -}}
{{- $policy := .Values.networkPolicy -}}
{{- $exposed := or .Values.ingress.enabled .Values.gateway.enabled -}}
{{- if and $exposed (trimSuffix "/" (urlParse .Values.publicUrl).path) -}}
{{- $problems = append $problems "publicUrl must have no path with ingress.enabled or gateway.enabled: what they pass on begins at /." -}}
{{- end -}}
{{- if and .Values.gateway.enabled (not .Values.gateway.parentRefs) -}}
{{- $problems = append $problems "gateway.parentRefs must name a Gateway." -}}
{{- end -}}
{{- if and $exposed $policy.enabled (not $policy.callers) -}}
{{- $problems = append $problems "networkPolicy.callers must name the namespace of the ingress controller or gateway: the policy would keep it out." -}}
{{- end -}}
{{- if and .Values.metrics.serviceMonitor.enabled $policy.enabled (not $policy.monitoring) -}}
{{- $problems = append $problems "networkPolicy.monitoring must name the namespace of Prometheus: the policy would keep it out." -}}
{{- end -}}
{{- if and $policy.enabled (or .Values.vault.enabled .Values.tracing.endpoint) (not $policy.extraEgress) -}}
{{- $problems = append $problems "networkPolicy.extraEgress must let the Pods reach Vault or the trace collector: the policy would keep them in." -}}
{{- end -}}
{{- dict "problems" $problems | toJson -}}
{{- end -}}
