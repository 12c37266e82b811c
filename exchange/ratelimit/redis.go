package ratelimit

import (
	"context"
	"crypto/tls"
	_ "embed"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// RedisConfig says where nodes count together: Redis 6 or Valkey.
type RedisConfig struct {
	// Addresses, "host:port": one server, which may also be the path of its
	// socket; with Cluster some of a cluster's; with Sentinel the sentinels'.
	Addresses []string
	// Exchange tells apart exchanges that count in the same place.
	Exchange string
	Cluster  bool
	Sentinel string // name of the master that the sentinels know

	// User and Password are of an ACL user, who needs no more than
	// "~liaison:* +evalsha +eval +get +set +time +ping +hello +client|setname".
	User, Password                 string
	SentinelUser, SentinelPassword string
	Database                       int
	TLS                            *tls.Config // nil: none

	Timeout time.Duration // of one answer; 0, and at most: 20 ms
}

// ParseURL reads redis://[user:password@]host:port[/database], rediss for TLS,
// or unix://[user:password@]/path for a socket of this machine. Options behind
// a question mark are refused: the limiter sets its own. What is wrong is said
// without the password.
func ParseURL(url string) (RedisConfig, error) {
	o, err := redis.ParseURL(url)
	if err != nil || strings.Contains(url, "?") {
		return RedisConfig{}, errors.New("not of the form redis://[user:password@]host:port[/database], rediss:// for TLS, or unix:///path of a socket")
	}
	return RedisConfig{Addresses: []string{o.Addr}, User: o.Username, Password: o.Password, Database: o.DB, TLS: o.TLSConfig}, nil
}

// longestWait is how long a request may wait for Redis.
const longestWait = 20 * time.Millisecond

// connections is how many a node opens at most, idle how many it keeps open.
// A call takes Redis some 12 µs: with more at a time they would only wait
// there, with the clock running.
const (
	connections = 16
	idle        = 4
)

// form stands in the name of each count, and changes with what script.lua
// keeps: a count of another form would be taken for a spoilt one.
const form = "2"

//go:embed script.lua
var source string

// script changes all counts of a party in one round trip. redis_rate's
// script changes one, and a request has several: one that fits half would
// be charged for nothing.
var script = redis.NewScript(source)

// Redis counts in Redis, by its clock.
type Redis struct {
	client  redis.UniversalClient
	prefix  string
	timeout time.Duration
	// turns bounds the calls under way: what waits for its turn is not what
	// Redis takes, and no sign that it is gone.
	turns chan struct{}
}

// quiet keeps the library from writing to standard error: what fails is an
// error of a call.
type quiet struct{}

func (quiet) Printf(context.Context, string, ...any) {}

var hush = sync.OnceFunc(func() { redis.SetLogger(quiet{}) })

// NewRedis returns a limiter that connects when it is needed.
func NewRedis(cfg RedisConfig) (*Redis, error) {
	if len(cfg.Addresses) == 0 {
		return nil, errors.New("redis: no address")
	}
	if cfg.Cluster && (cfg.Sentinel != "" || cfg.Database != 0) {
		return nil, errors.New("redis: a cluster has no sentinels and no databases")
	}
	if !cfg.Cluster && cfg.Sentinel == "" && len(cfg.Addresses) > 1 {
		return nil, errors.New("redis: several addresses are of a cluster or of sentinels: say which")
	}
	if strings.ContainsAny(cfg.Exchange, "{}") {
		return nil, errors.New("redis: an exchange's name has no braces")
	}
	hush()
	if cfg.Timeout <= 0 || cfg.Timeout > longestWait {
		cfg.Timeout = longestWait
	}
	return &Redis{prefix: "liaison:" + cfg.Exchange + ":" + form + ":{", timeout: cfg.Timeout, turns: make(chan struct{}, connections), client: redis.NewUniversalClient(&redis.UniversalOptions{
		Addrs: cfg.Addresses, IsClusterMode: cfg.Cluster, MasterName: cfg.Sentinel, DB: cfg.Database,
		Username: cfg.User, Password: cfg.Password, SentinelUsername: cfg.SentinelUser, SentinelPassword: cfg.SentinelPassword,
		TLSConfig: cfg.TLS, Protocol: 2,
		MaxRetries: -1, DialerRetries: 1, DialTimeout: time.Second, // a dial goes on when its call has given up
		ReadTimeout: -1, WriteTimeout: -1, ContextTimeoutEnabled: true, // each call has its time
		PoolSize: connections, MinIdleConns: idle,
		// Nothing but what is counted: replies to other commands that come
		// late have been taken for those of the next (CVE-2025-29923).
		DisableIdentity:          true,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	})}, nil
}

// Take implements Limiter.
func (r *Redis) Take(ctx context.Context, party string, charges []Charge) (Answer, error) {
	return r.run(ctx, party, charges, false)
}

// Debit implements Limiter.
func (r *Redis) Debit(ctx context.Context, party string, charges []Charge) (Answer, error) {
	return r.run(ctx, party, charges, true)
}

// Close closes the connections.
func (r *Redis) Close() error { return r.client.Close() }

func (r *Redis) run(ctx context.Context, party string, charges []Charge, debit bool) (Answer, error) {
	if err := check(charges); err != nil {
		return Answer{}, err
	}
	if strings.ContainsAny(party, "{}") {
		return Answer{}, fmt.Errorf("%w: party %q", ErrCharge, party)
	}
	if len(charges) == 0 {
		return Answer{}, nil
	}
	select {
	case r.turns <- struct{}{}:
		defer func() { <-r.turns }()
	case <-ctx.Done():
		return Answer{}, ctx.Err()
	}
	ctx, cancel := context.WithTimeout(ctx, r.timeout)
	defer cancel()
	keys := make([]string, len(charges))
	numbers := appendDouble(make([]byte, 0, 8+24*len(charges)), 0)
	if debit {
		numbers = appendDouble(numbers[:0], 1)
	}
	var longest time.Duration
	for i := range charges {
		c := &charges[i]
		keys[i] = r.prefix + party + "}:" + c.Key // the braces: a cluster keeps them together
		numbers = appendDouble(numbers, float64(c.Limit.Quota), float64(c.Limit.Window.Microseconds()), float64(c.taken()))
		longest = max(longest, c.Limit.Window)
	}
	reply, err := script.Run(ctx, r.client, keys, numbers, longest.Milliseconds()+1).Result()
	if err != nil {
		return Answer{}, fmt.Errorf("redis: %w", err)
	}
	return parseReply(reply, charges, debit)
}

// appendDouble appends numbers in the form that the script reads and writes.
func appendDouble(b []byte, numbers ...float64) []byte {
	for _, n := range numbers {
		b = binary.BigEndian.AppendUint64(b, math.Float64bits(n))
	}
	return b
}

// ErrReply is an answer that the script does not give.
var ErrReply = errors.New("redis: not an answer of ours")

// parseReply reads the script's answer and believes nothing that cannot be.
func parseReply(reply any, charges []Charge, debit bool) (Answer, error) {
	levels, ok := reply.(string)
	if !ok || len(levels) != 8*len(charges) {
		return Answer{}, fmt.Errorf("%w: a %T", ErrReply, reply)
	}
	level := func(i int) float64 {
		return math.Float64frombits(binary.BigEndian.Uint64([]byte(levels[8*i:])))
	}
	for i := range charges {
		if n := level(i); !(n >= 0 && n <= float64(charges[i].Limit.Quota)) {
			return Answer{}, fmt.Errorf("%w: %v for %d", ErrReply, n, charges[i].Limit.Quota)
		}
	}
	a, _ := answer(charges, debit, level)
	return a, nil
}

// unreadable reports whether one count was spoilt, which says nothing of the
// server.
func unreadable(err error) bool {
	return err != nil && strings.Contains(err.Error(), "LIAISON a count is not readable")
}
