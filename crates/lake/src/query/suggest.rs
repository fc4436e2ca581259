//! What somebody may have meant.

/// Fewest single-character edits (insert, delete, replace, swap neighbours) from one text to the other.
fn distance(left: &str, right: &str) -> usize {
    let (left, right): (Vec<char>, Vec<char>) = (left.chars().collect(), right.chars().collect());
    let mut before: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=right.len()).collect();
    for (row, a) in left.iter().enumerate() {
        let mut here = vec![row + 1];
        for (column, b) in right.iter().enumerate() {
            let at = |line: &[usize], index: usize| line.get(index).copied().unwrap_or(usize::MAX - 1);
            let mut best = (at(&above, column) + usize::from(a != b)).min(at(&above, column + 1) + 1);
            best = best.min(at(&here, column) + 1);
            let swapped = row > 0 && column > 0 && left.get(row - 1) == Some(b) && right.get(column - 1) == Some(a);
            if swapped {
                best = best.min(at(&before, column - 1) + 1);
            }
            here.push(best);
        }
        before = std::mem::replace(&mut above, here);
    }
    above.last().copied().unwrap_or(usize::MAX)
}

/// The candidate nearest to what was written, when it is near enough to be meant.
pub(super) fn nearest<'a>(written: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let written: String = written.chars().take(40).flat_map(char::to_lowercase).collect();
    let allowed = (written.chars().count() / 3).clamp(1, 3);
    let scored = candidates.map(|candidate| (distance(&written, candidate), candidate));
    scored.filter(|(edits, _)| *edits <= allowed).min().map(|(_, candidate)| candidate)
}

/// `; did you mean X?` or nothing.
pub(super) fn hint(nearest: Option<&str>) -> String {
    nearest.map(|candidate| format!("; did you mean {candidate}?")).unwrap_or_default()
}

/// The same in Japanese.
pub(super) fn hint_ja(nearest: Option<&str>) -> String {
    nearest.map(|candidate| format!("{candidate} のことでしょうか。")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_of_the_finger_are_near_and_other_words_are_not() {
        let fields = ["port", "product", "protocol", "country"];
        assert_eq!(nearest("prot", fields.into_iter()), Some("port"));
        assert_eq!(nearest("prodct", fields.into_iter()), Some("product"));
        assert_eq!(nearest("COUNTRY", fields.into_iter()), Some("country"));
        assert_eq!(nearest("zzz", fields.into_iter()), None);
        assert_eq!(distance("", "abc"), 3);
    }
}
