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

// AtEachStep has f hear what a copy is about to do.
func (c Copying) AtEachStep(f func(step string)) Copying {
	c.step = f
	return c
}
