{{- define "wiretell.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- define "wiretell.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" }}
{{- else if contains (include "wiretell.name" .) .Release.Name }}
{{- .Release.Name | trunc 63 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name (include "wiretell.name" .) | trunc 63 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- define "wiretell.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
app.kubernetes.io/name: {{ include "wiretell.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- with .Values.additionalLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "wiretell.image" -}}
{{- if .Values.image.digest }}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest }}
{{- else }}
{{- printf "%s:%s" .Values.image.repository (.Values.image.tag | default .Chart.AppVersion) }}
{{- end }}
{{- end }}

{{/*
Three quarters of a memory limit, as GOMEMLIMIT takes it.
*/}}
{{- define "wiretell.gomemlimit" -}}
{{- $mem := toString . -}}
{{- if regexMatch "^[0-9]+Gi$" $mem -}}
{{- printf "%dMiB" (div (mul (trimSuffix "Gi" $mem | int) 3072) 4) -}}
{{- else if regexMatch "^[0-9]+Mi$" $mem -}}
{{- printf "%dMiB" (div (mul (trimSuffix "Mi" $mem | int) 3) 4) -}}
{{- else -}}
{{- fail (printf "useGOMEMLIMIT: resources.limits.memory is %q: want a whole number of Mi or Gi" $mem) -}}
{{- end -}}
{{- end }}
