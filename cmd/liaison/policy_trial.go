package main

import (
	"cmp"
	"encoding/xml"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/liaison-exchange/liaison/policy"
)

// trying is what the flags of policy test say.
type trying struct {
	drafting
	run, junit string
	coverage   bool
	threshold  float64
}

func newPolicyTest(env *environment) *cobra.Command {
	t := &trying{drafting: drafting{env: env}}
	c := &cobra.Command{
		Use:   "test DIR [--run REGEXP] [--coverage] [--threshold PERCENT] [--junit FILE]",
		Short: "Run the tests of a policy, and say why one fails",
		Long: `test runs the rules named test_… of an author's directory. Of a test that fails it
says which expression did not hold, the values that it saw, and which condition of
which rule was the cause.

Tests find complete inputs under data.liaison.example: send (your jurisdiction
sends), receive (it receives) and onward (its data are passed on by others).
--coverage prints the lines of the rules that no test went through; --threshold
fails below that share of lines.`,
		Example: `  liaison policy test ee --coverage
  liaison policy test ee --run 'retention|language'
  liaison policy test ee --threshold 90 --junit report.xml`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return t.test(cmd, args[0]) },
	}
	t.add(c)
	c.Flags().StringVar(&t.run, "run", "", "run only tests whose full name matches, such as data.jurisdiction.ee.test.test_language")
	c.Flags().BoolVar(&t.coverage, "coverage", false, "print what the tests went through, and the lines they did not")
	c.Flags().Float64Var(&t.threshold, "threshold", 0, "fail if the tests went through less than this share of lines, in percent")
	c.Flags().StringVar(&t.junit, "junit", "", "write a JUnit report to this file as well")
	return c
}

// tested is a line of test --json about a test.
type tested struct {
	Test    string          `json:"test"`
	File    string          `json:"file"`
	Line    int             `json:"line"`
	Pass    bool            `json:"pass"`
	Ms      float64         `json:"ms"`
	Error   string          `json:"error,omitempty"`
	Failure *policy.Failure `json:"failure,omitempty"`
}

// covered is a line of test --json about a file of rules.
type covered struct {
	File      string                 `json:"file"`
	Percent   float64                `json:"percent"`
	Uncovered []policy.UncoveredLine `json:"uncovered"`
}

func (t *trying) test(cmd *cobra.Command, dir string) error {
	filter, err := t.filter()
	if err != nil {
		return err
	}
	desk, err := t.open(dir)
	if err != nil {
		return err
	}
	report, err := desk.Test(cmd.Context(), filter)
	if err != nil {
		return t.refusedPolicy(err, dir)
	}
	if err := t.report(report, dir); err != nil {
		return err
	}
	if t.junit != "" {
		if err := writeJUnit(t.junit, report, dir); err != nil {
			return err
		}
	}
	return t.verdict(report, dir)
}

func (t *trying) filter() (*regexp.Regexp, error) {
	if t.threshold < 0 || t.threshold > 100 {
		return nil, usageError(fmt.Errorf("--threshold %g", t.threshold), "give 0 to 100")
	}
	if t.run == "" {
		return nil, nil
	}
	re, err := regexp.Compile(t.run)
	if err != nil {
		return nil, usageError(fmt.Errorf("--run: %w", err), "give a regular expression, such as 'retention|language'")
	}
	return re, nil
}

func (t *trying) report(r *policy.TestReport, dir string) error {
	tb := t.env.output().table("TEST", "RESULT", "TIME", "WHERE")
	for _, one := range r.Tests {
		where := fmt.Sprintf("%s:%d", filepath.Join(dir, one.File), one.Line)
		ms := float64(one.Duration.Microseconds()) / 1000
		tb.row(tested{one.Name, filepath.Join(dir, one.File), one.Line, one.Pass, ms, one.Error, one.Failure},
			one.Name, passWord(one.Pass), one.Duration.Round(10*time.Microsecond).String(), where)
	}
	if err := tb.flush(); err != nil {
		return err
	}
	if !t.env.json {
		for _, one := range r.Tests {
			if _, err := fmt.Fprint(t.env.Stdout, failureWords(one, dir)); err != nil {
				return err
			}
		}
	}
	if t.coverage || t.threshold > 0 {
		return t.reportCoverage(&r.Coverage, dir)
	}
	return nil
}

func passWord(pass bool) string {
	if pass {
		return "pass"
	}
	return "FAIL"
}

// failureWords says why a test failed, in lines; nothing of one that passed.
func failureWords(one policy.TestResult, dir string) string {
	if one.Pass {
		return ""
	}
	var b strings.Builder
	fmt.Fprintf(&b, "\n%s fails\n", printable(one.Name))
	if one.Error != "" {
		fmt.Fprintf(&b, "  %s:%d: %s\n", filepath.Join(dir, one.File), one.Line, printable(one.Error))
	}
	if f := one.Failure; f != nil {
		fmt.Fprintf(&b, "  %s:%d: this does not hold:\n", filepath.Join(dir, one.File), f.Line)
		for _, line := range strings.Split(f.Text, "\n") {
			fmt.Fprintf(&b, "    %s\n", printable(strings.TrimSpace(line)))
		}
		for _, v := range f.Values {
			fmt.Fprintf(&b, "  %s\n", printable(v))
		}
		for _, c := range f.Because {
			b.WriteString(conditionWords(c, dir))
		}
	}
	return b.String()
}

// conditionWords says which condition of a rule did not hold, and what it saw.
func conditionWords(c policy.Condition, dir string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "  %s is not said, because %s:%d does not hold:\n    %s\n",
		printable(c.Rule), filepath.Join(dir, c.File), c.Line, printable(c.Text))
	for _, v := range c.Values {
		fmt.Fprintf(&b, "    %s\n", printable(v))
	}
	return b.String()
}

func (t *trying) reportCoverage(c *policy.Coverage, dir string) error {
	if !t.env.json {
		fmt.Fprintln(t.env.Stdout)
	}
	tb := t.env.output().table("FILE", "LINES TESTED")
	for _, f := range c.Files {
		tb.row(covered{filepath.Join(dir, f.File), f.Percent, append([]policy.UncoveredLine{}, f.Uncovered...)},
			filepath.Join(dir, f.File), fmt.Sprintf("%.1f %%", f.Percent))
	}
	if err := tb.flush(); err != nil || t.env.json {
		return err
	}
	for _, f := range c.Files {
		for _, l := range f.Uncovered {
			if _, err := fmt.Fprintf(t.env.Stdout, "no test reaches %s:%d: %s\n", filepath.Join(dir, f.File), l.Line, printable(l.Text)); err != nil {
				return err
			}
		}
	}
	return nil
}

// verdict ends the command: done, or what failed.
func (t *trying) verdict(r *policy.TestReport, dir string) error {
	failed := 0
	for _, one := range r.Tests {
		if !one.Pass {
			failed++
		}
	}
	switch {
	case len(r.Tests) == 0 && t.run != "":
		return withFix(fmt.Errorf("no test of %s matches %s", dir, t.run), "the full name is matched, such as data.jurisdiction.ee.test.test_language")
	case len(r.Tests) == 0:
		return withFix(fmt.Errorf("%s has no tests", dir), "write rules named test_… into a file of the package that ends in .test")
	case failed > 0:
		return withFix(fmt.Errorf("%s of %d failed", number(failed, "test"), len(r.Tests)), "mend the rule, or the test if it expects what the law does not say")
	case r.Coverage.Percent < t.threshold:
		return withFix(fmt.Errorf("the tests went through %.1f %% of the lines, less than %g %%", r.Coverage.Percent, t.threshold), "write tests for the lines above")
	}
	if t.env.json {
		return nil
	}
	words := number(len(r.Tests), "test") + " passed"
	if t.coverage || t.threshold > 0 {
		words += fmt.Sprintf(", %.1f %% of the lines tested", r.Coverage.Percent)
	}
	_, err := fmt.Fprintln(t.env.Stdout, words)
	return err
}

// The JUnit report, in the form that build servers read.
type junitSuite struct {
	XMLName  xml.Name    `xml:"testsuite"`
	Name     string      `xml:"name,attr"`
	Tests    int         `xml:"tests,attr"`
	Failures int         `xml:"failures,attr"`
	Errors   int         `xml:"errors,attr"`
	Time     string      `xml:"time,attr"`
	Cases    []junitCase `xml:"testcase"`
}

type junitCase struct {
	Class   string        `xml:"classname,attr"`
	Name    string        `xml:"name,attr"`
	Time    string        `xml:"time,attr"`
	Failure *junitFailure `xml:"failure,omitempty"`
	Error   *junitFailure `xml:"error,omitempty"`
}

type junitFailure struct {
	Message string `xml:"message,attr"`
	Text    string `xml:",chardata"`
}

func writeJUnit(file string, r *policy.TestReport, dir string) error {
	s := junitSuite{Name: dir, Tests: len(r.Tests)}
	var all time.Duration
	for _, one := range r.Tests {
		all += one.Duration
		c := junitCase{Class: filepath.ToSlash(filepath.Join(dir, one.File)), Name: one.Name, Time: seconds(one.Duration)}
		what := &junitFailure{Message: printable(cmp.Or(one.Error, "an expression does not hold")), Text: failureWords(one, dir)}
		switch {
		case one.Error != "":
			s.Errors, c.Error = s.Errors+1, what
		case !one.Pass:
			s.Failures, c.Failure = s.Failures+1, what
		}
		s.Cases = append(s.Cases, c)
	}
	s.Time = seconds(all)
	out, err := xml.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	err = os.WriteFile(file, append([]byte(xml.Header), append(out, '\n')...), 0o644)
	if err != nil {
		return errors.Join(errors.New("the JUnit report is not written"), err)
	}
	return nil
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.6f", d.Seconds()) }
