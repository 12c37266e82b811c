package api

// RouteAuditStatistics computes a report of one's own agency's log.
const RouteAuditStatistics = "/v1/audit/statistics"

// MediaCSV is a table (RFC 4180) with its columns' names first.
const MediaCSV = "text/csv; charset=utf-8; header=present"

// StatisticsLine is one line of the answer to GET /v1/audit/statistics: it has
// one of its members. The head comes first; rows come as they are known, a
// register's while it is computed; the summary is the last line, and without
// it the answer is not whole.
type StatisticsLine struct {
	Head     *StatisticsHead    `json:"head,omitempty"`
	Progress *ReplayProgress    `json:"progress,omitempty"`
	Row      []string           `json:"row,omitempty"` // a cell for each column
	Summary  *StatisticsSummary `json:"summary,omitempty"`
}

// StatisticsHead says what is computed.
type StatisticsHead struct {
	Report   string             `json:"report"`
	Title    string             `json:"title"`
	Basis    string             `json:"basis"` // the law that asks for it
	Owner    string             `json:"owner"` // whose log it is
	Exchange string             `json:"exchange"`
	Since    string             `json:"since"`
	Until    string             `json:"until"` // before this time
	At       string             `json:"at"`    // computed then
	Columns  []StatisticsColumn `json:"columns"`
}

// StatisticsColumn is a column of the table.
type StatisticsColumn struct {
	Name  string `json:"name"`
	Count bool   `json:"count,omitempty"` // its cells are decimals
}

// StatisticsSummary says what the table was made of, and what is not in it.
type StatisticsSummary struct {
	Rows    int      `json:"rows"`
	Entries int      `json:"entries"`          // that were looked at
	Erased  int      `json:"erased,omitempty"` // of which nothing is left to count
	Unread  int      `json:"unread,omitempty"` // that could not be read
	Notes   []string `json:"notes"`
}
