package store

import "context"

// Pragma reads a setting of the writer's connection.
func (s *SQLite) Pragma(ctx context.Context, name string) (value string, err error) {
	c, err := s.writer.take(ctx)
	if err != nil {
		return "", err
	}
	defer s.writer.give(c, nil)
	err = c.conn.QueryRowContext(ctx, "PRAGMA "+name).Scan(&value)
	return value, err
}
