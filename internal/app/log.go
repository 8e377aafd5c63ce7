package app

import (
	"fmt"
	"log/slog"
)

// promLog gives the metrics handler's complaints to the log.
type promLog struct{ log *slog.Logger }

// Println implements promhttp.Logger.
func (p promLog) Println(v ...any) { p.log.Warn("metrics are incomplete", "err", fmt.Sprint(v...)) }
