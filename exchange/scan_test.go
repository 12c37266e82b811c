package exchange

import "testing"

// TestScansAtOnce: an agency has two readings at a time, all together eight,
// and each gives its place back.
func TestScansAtOnce(t *testing.T) {
	t.Parallel()
	var s scanning
	for _, a := range []string{"ee/pbgb", "ee/pbgb", "lv/vp", "lv/vp", "ua/npu", "ua/npu", "it/dcpc", "it/dcpc"} {
		if r := s.begin(a); r != nil {
			t.Fatalf("%s: %v", a, r)
		}
	}
	if r := s.begin("by/mia"); r == nil || r.Kind != Unavailable || r.RetryAfter == 0 {
		t.Errorf("a ninth: %v", r)
	}
	s.end("lv/vp")
	if r := s.begin("ee/pbgb"); r == nil {
		t.Error("a third of one agency")
	}
	if r := s.begin("by/mia"); r != nil {
		t.Errorf("there is a place: %v", r)
	}
	for _, a := range []string{"ee/pbgb", "ee/pbgb", "lv/vp", "ua/npu", "ua/npu", "it/dcpc", "it/dcpc", "by/mia"} {
		s.end(a)
	}
	if s.all != 0 || len(s.of) != 0 {
		t.Errorf("%d places are taken, by %v", s.all, s.of)
	}
}
