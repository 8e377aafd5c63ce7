package sqlserver

import "tieline/internal/store/param"

// Texts are the statements that the store's suites do not tell, by what they are
// for, with their parameters as the driver has them.
func Texts() map[string]string {
	texts := map[string]string{
		"needs": needs, "wishes": workWishes, "coordination's wishes": coordinationWishes, "json": jsonText, "encrypted": encryptedText,
		"cloud": cloudText, "lock migrations": migrationLock, "take a lock": takeLock, "await a lock": awaitLock,
		"held": heldLock, "take": takeText, "release": releaseText, "doubt some": doubtStepText, "doubt": doubtText,
		"look": lookText, "durable": durableText, "replicas": replicasText, "claim": claimText,
		"version": versionText, "sessions": sessionsText, "privilege": privilegeText, "sizes": sizesText, "counts": countsText,
	}
	for versions, name := range map[bool]string{true: " by versions", false: " as it lies"} {
		group := textsOf(versions)
		texts["group"+name], texts["read"+name], texts["beat"+name] = group.query, group.read, group.beat
		texts["beat alone"+name] = group.alone
	}
	for _, n := range namings {
		texts["history by "+n.expression] = "SELECT " + n.expression
	}
	for name, text := range singles {
		texts[name] = text
	}
	markers := param.New(param.AtP)
	for name, text := range texts {
		texts[name] = markers.Statement(text).Text
	}
	return texts
}

// Migrations are the schema's files.
var Migrations = migrations

// untranslated is the number of an error for which Babelfish, the SQL Server that
// is a PostgreSQL, has none of SQL Server's.
const untranslated = 33557097
