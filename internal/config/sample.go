package config

import _ "embed"

// Sample is a commented file with every setting.
//
//go:embed sample.yaml
var Sample string
