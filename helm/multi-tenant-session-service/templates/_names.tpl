{{/* Names and labels. */}}

{{- define "session-service.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{/* Up to 50 characters, so that what is added to it stays a name. */}}
{{- define "session-service.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- $name := include "session-service.name" . -}}
{{- if contains .Release.Name $name -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "session-service.redisName" -}}
{{ include "session-service.fullname" . }}-redis
{{- end -}}

{{- define "session-service.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "session-service.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "session-service.secretName" -}}
{{- default (include "session-service.fullname" .) .Values.secrets.existingSecret -}}
{{- end -}}

{{- define "session-service.image" -}}
{{- with .Values.image -}}
{{- if .digest -}}
{{ .repository }}@{{ .digest }}
{{- else -}}
{{ .repository }}:{{ .tag | default $.Chart.AppVersion }}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* The host of publicUrl, without its port. */}}
{{- define "session-service.publicHost" -}}
{{- regexReplaceAll ":[0-9]+$" (urlParse .Values.publicUrl).host "" -}}
{{- end -}}

{{/* Takes (list context component). */}}
{{- define "session-service.selectorLabels" -}}
{{- $context := index . 0 -}}
app.kubernetes.io/name: {{ include "session-service.name" $context }}
app.kubernetes.io/instance: {{ $context.Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end -}}

{{/* Takes (list context component). */}}
{{- define "session-service.labels" -}}
{{- $context := index . 0 -}}
{{ include "session-service.selectorLabels" . }}
app.kubernetes.io/version: {{ $context.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ $context.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" $context.Chart.Name $context.Chart.Version | replace "+" "_" }}
{{- end -}}
