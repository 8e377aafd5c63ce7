// Package files is the adapter for any system that can read and write files:
// the universal connector. It writes one message per file into an outbox
// directory and takes acknowledgements and updates from an inbox directory.
//
// # Guarantee
//
// Idempotent, for ever: a message's file name is made from its key, kind and
// revision, so writing it twice leaves one file. Should the reader have taken a
// file before we knew that it was written, it gets the message once more: a
// reader must take a message with a key that it knows as an update, whatever
// its kind. The ticket id comes later, by an acknowledgement (TicketLater). The
// adapter is also a Noter and a Poller.
//
// # Settings
//
//	remote:
//	  kind: files
//	  settings:
//	    directory: /srv/tieline     # must exist; the four below are made in it
//	    outbox: /mnt/ems/in         # or each by itself; must then exist
//	    inbox: /mnt/ems/out
//	    done: /srv/tieline/done     # processed inbox files
//	    rejected: /srv/tieline/rejected # malformed ones, each with a .reason.txt
//	    format: json                # or xml, for what is written
//	    max_bytes: 1048576          # of an inbox file
//	    patience: 10s               # how long an incomplete file is given to grow
//	    ended: [resolved, closed]   # states in which a ticket is not open
//
// All of them are absolute paths: a relative one would be another directory
// wherever a server was started elsewhere.
//
// All directories of one remote must be on one file system: files are moved by
// renaming. Several servers share them, by a network file system or the like.
//
// # Outbox
//
// Files are named KEY.rREVISION.new.json, KEY.rREVISION.update.json and
// KEY.nNUMBER.note.json (or .xml), with ten digits; they hold a remote.Message.
// They appear complete, by renaming; names that begin with a dot are none of
// the reader's business. The reader removes or moves what it has taken. For one
// key, a message of a lower revision than one already taken is to be dropped.
//
// # Inbox
//
// A file holds one reply, in JSON
//
//	{"key": "tl-...", "ticket": "INC0042", "state": "resolved",
//	 "text": "disk replaced", "author": "kim", "at": "2026-11-22T15:22:58Z"}
//
// or the same in XML:
//
//	<reply><key>tl-...</key><ticket>INC0042</ticket><state>resolved</state></reply>
//
// The key or the ticket id must be there, and something must be told: a reply
// with key and ticket assigns the ticket id, state and text bring back an
// update. Other fields are refused, because a misspelt one would be lost in
// silence. What is a JSON file is told by its content, not by its name. Write
// to a name that begins with a dot, or ends in .tmp or .part, and rename it; a
// file that is not complete is given some time all the same. Files are taken in
// the order of their modification times, then names. A file of the same name,
// content and modification time as the one just taken is that one, come again; a
// reply that repeats an earlier one must have been written later.
//
// # Why a file is moved only by the next poll
//
// News must be readable again until it is known to be stored, or a crash
// between would lose it. The bookmark that a poll returns names the files it
// read, by hash of name, modification time and content; it is stored in the same transaction as
// their news. So only the poll that is given a bookmark may move the files it
// names. Until then every poll, on any server, reads them again, and
// News.ID, the same hash, makes the repeat harmless.
package files
