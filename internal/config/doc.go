// Package config holds one server's own settings: who it is, where it listens,
// which database it shares. What is forwarded where is not here; that is a
// connector document, kept and versioned in the database.
//
// Every setting has one key ("database.url"), and by it a YAML path, an
// environment variable (TIELINE_DATABASE_URL) and, for most, a flag
// (--database). A flag wins over the environment, the environment over the
// file, the file over the default. Unknown keys are refused, and all problems
// are reported at once, each with its path.
package config
