//! What a stranger says, made fit to store and show: bounded, one line, no control characters.

/// The most characters of one captured value.
pub(crate) const MAX_VALUE_CHARS: usize = 128;

/// The most characters of a title or summary.
pub(crate) const MAX_LINE_CHARS: usize = 256;

/// The text of a captured value. Control characters and those that turn or hide text are dropped, runs of white space
/// become one space, and what is longer than `limit` characters is cut.
pub(crate) fn clean(bytes: &[u8], limit: usize) -> String {
    let text = String::from_utf8_lossy(bytes.get(..bytes.len().min(limit * 8)).unwrap_or_default());
    let mut cleaned = String::new();
    let mut count = 0;
    for word in text.split(|c: char| c.is_whitespace() || c == '\0') {
        let mut visible = word.chars().filter(|c| !c.is_control() && !is_hidden(*c)).peekable();
        if visible.peek().is_none() {
            continue;
        }
        let gap = usize::from(count > 0);
        if count + gap >= limit {
            break;
        }
        if gap == 1 {
            cleaned.push(' ');
        }
        count += gap;
        for character in visible.take(limit - count) {
            cleaned.push(character);
            count += 1;
        }
    }
    cleaned
}

/// Characters that change the direction of text or cannot be seen.
fn is_hidden(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// A captured value as a component of a CPE 2.3 formatted string (NISTIR 7695, section 6.2): lower case, white space as
/// `_`, everything but letters, digits, `_`, `-` and `.` quoted.
pub(crate) fn cpe_component(value: &str) -> String {
    let mut component = String::with_capacity(value.len());
    for character in value.chars() {
        match character {
            ' ' => component.push('_'),
            c if c.is_ascii_alphanumeric() => component.push(c.to_ascii_lowercase()),
            '_' | '-' | '.' => component.push(character),
            c if c.is_ascii_graphic() => component.extend(['\\', c]),
            _ => component.push_str("\\?"),
        }
    }
    component
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_and_tricks_of_direction_are_dropped() {
        assert_eq!(clean(b"  a\x1b[31mb\r\n\tc\x00d  ", 64), "a[31mb c d");
        assert_eq!(clean("\u{202e}gnp.exe\u{200b}".as_bytes(), 64), "gnp.exe");
        assert_eq!(clean(&[0xff, b'x'], 64), "\u{fffd}x");
    }

    #[test]
    fn long_values_are_cut() {
        assert_eq!(clean(&[b'x'; 4096], 128).chars().count(), 128);
        assert!(clean("あ い う え お".as_bytes(), 5).chars().count() <= 5);
    }

    #[test]
    fn a_component_of_a_cpe_cannot_break_out() {
        assert_eq!(cpe_component("1.2:3 Beta*"), "1.2\\:3_beta\\*");
    }
}
