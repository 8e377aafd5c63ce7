package store

import "tieline/internal/store/engine"

// texts are the statements over sets of rows, made once for the engine.
type texts struct {
}

func newTexts(e *engine.Engine) texts { return texts{} }
