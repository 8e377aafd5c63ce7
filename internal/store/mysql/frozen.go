package mysql

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"
)

// frozenAfter is how long a transaction may wait for its process's next
// statement on MySQL, which has no limit of its own for that (MariaDB does, see
// limits.frozen). Our transactions are not silent for as many milliseconds.
const frozenAfter = 5 * time.Second

// endFrozen ends the connections to this database that have been silent for so
// long inside a transaction: their process is frozen or its host is lost, and
// would keep what it locked for as long as it likes. Each server looks with each
// heartbeat. It needs the right to see transactions (PROCESS); without it, it
// says so once, and what a frozen process has locked waits for that process.
func (c *Coordinator) endFrozen(ctx context.Context, after time.Duration) error {
	rows, err := c.work.QueryContext(ctx, `
SELECT t.trx_mysql_thread_id FROM information_schema.INNODB_TRX AS t
JOIN information_schema.PROCESSLIST AS p ON p.ID = t.trx_mysql_thread_id
WHERE p.DB = DATABASE() AND p.COMMAND = 'Sleep' AND p.TIME >= $1`, int64(after.Seconds()))
	if isCode(err, 1227) { // access denied
		if !c.blind.Swap(true) {
			c.log.Warn("this database user may not see transactions, so one whose process is frozen cannot be ended; " +
				"grant it PROCESS, or rows that a frozen server has locked stay locked while it is frozen")
		}
		return nil
	}
	if err != nil {
		return fmt.Errorf("look for frozen transactions: %w", err)
	}
	var ids []int64
	for rows.Next() {
		var id int64
		if err := rows.Scan(&id); err != nil {
			return errors.Join(err, rows.Close())
		}
		ids = append(ids, id)
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return fmt.Errorf("look for frozen transactions: %w", err)
	}
	for _, id := range ids {
		// It may have ended by itself meanwhile, or be another user's.
		if _, err := c.work.ExecContext(ctx, fmt.Sprintf("KILL %d", id)); err != nil {
			c.log.Warn("a frozen transaction could not be ended", slog.Int64("connection", id), slog.Any("err", err))
			continue
		}
		c.log.Warn("ended a transaction whose process is frozen", slog.Int64("connection", id))
	}
	return nil
}
