package app

import (
	"runtime/debug"
	"strings"
)

// version is set by the linker in release builds (-X tieline/internal/app.version=1.2.3).
var version string

// Version is the program's version: the release, else the revision it was
// built from, else "devel".
func Version() string {
	if version != "" {
		return version
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "devel"
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && len(s.Value) >= 12 {
			return "devel-" + s.Value[:12]
		}
	}
	return strings.Trim("devel-"+strings.TrimPrefix(info.Main.Version, "(devel)"), "-")
}
