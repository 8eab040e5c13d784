package catalog

// nearest returns the one of the words that s was most likely meant to be, if any is near: one letter off for each three
// of s, and two at most.
func nearest(s string, words []string) (string, bool) {
	const longest = 64
	if len(s) > longest {
		return "", false
	}
	best, distance := "", min(2, len(s)/3)+1
	for _, w := range words {
		if len(w) > longest {
			continue
		}
		if d := editDistance(s, w); d < distance {
			best, distance = w, d
		}
	}
	return best, best != ""
}

// editDistance returns how many letters must be added, removed, replaced or swapped with the next to make b of a
// (Damerau-Levenshtein, each letter touched once).
func editDistance(a, b string) int {
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			d := rows[i-1][j-1]
			if a[i-1] != b[j-1] {
				d = 1 + min(d, rows[i-1][j], rows[i][j-1])
			}
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				d = min(d, 1+rows[i-2][j-2])
			}
			rows[i][j] = d
		}
	}
	return rows[len(a)][len(b)]
}
