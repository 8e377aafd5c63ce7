package access

// CheapHash hashes a password at a cost that this program no longer uses.
func CheapHash(password string) string {
	c, salt := cost{memory: 64, passes: 1, threads: 1}, randomBytes(saltSize)
	return encode(c, salt, derive(password, salt, c, hashSize)).Reveal()
}
