//! A long answer as several messages, each of which one message takes.
//!
//! It is cut at the ends of paragraphs or sentences where there are any, else between words, else anywhere between two
//! characters. Pure: the same answer has the same parts, so that a turn that is redone says the same.

/// How an answer is split.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Limits {
    /// Characters of one message.
    pub(crate) most: usize,
    /// Messages; what is behind them is left out.
    pub(crate) parts: usize,
}

/// What stands at the end of a text that was cut off.
const CUT: char = '…';

/// The messages that say `text`, in order; none for one that is blank.
pub(crate) fn split(text: &str, limits: Limits) -> Vec<String> {
    let most = limits.most.max(1);
    let mut parts = Vec::new();
    let mut rest = text.trim();
    if text.chars().count() <= most {
        // As it is, with the blanks that its author wrote.
        return if rest.is_empty() { parts } else { vec![text.to_owned()] };
    }
    while !rest.is_empty() {
        if parts.len() + 1 >= limits.parts.max(1) {
            parts.push(cut_off(rest, most));
            break;
        }
        let (head, tail) = rest.split_at_checked(border(rest, most)).unwrap_or((rest, ""));
        parts.push(head.trim_end().to_owned());
        rest = tail.trim_start();
    }
    parts
}

/// The last message: all that is left, or as much of it as fits.
fn cut_off(rest: &str, most: usize) -> String {
    if rest.chars().count() <= most {
        return rest.to_owned();
    }
    let head = rest.split_at_checked(border(rest, most.saturating_sub(1))).map_or("", |(head, _)| head);
    format!("{}{CUT}", head.trim_end())
}

/// Where the message that `text` begins with ends: the last good place within `most` characters, in its second half.
fn border(text: &str, most: usize) -> usize {
    let Some((end, _)) = text.char_indices().nth(most) else { return text.len() };
    let places = || text.char_indices().zip(text.char_indices().skip(1)).take_while(move |(_, (next, _))| *next <= end);
    let middle = end / 2;
    let last = |is_good: &dyn Fn(char, char) -> bool| {
        let good = places().filter(|((_, one), (_, next))| is_good(*one, *next)).map(|(_, (at, _))| at);
        good.last().filter(|at| *at > middle)
    };
    last(&|one, next| one == '\n' && next == '\n')
        .or_else(|| last(&|one, next| ends_sentence(one) && (next.is_whitespace() || is_wide(one))))
        .or_else(|| last(&|one, _| one == '\n'))
        .or_else(|| last(&|_, next| next.is_whitespace()))
        .unwrap_or(end)
}

const fn ends_sentence(one: char) -> bool {
    matches!(one, '.' | '!' | '?' | '…') || is_wide(one)
}

/// Marks that no blank follows.
const fn is_wide(one: char) -> bool {
    matches!(one, '。' | '！' | '？')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(text: &str, most: usize, parts: usize, expected: &[&str]) {
        assert_eq!(split(text, Limits { most, parts }), expected, "{text:?}");
    }

    #[test]
    fn answers_are_split_where_it_reads_well() {
        check("short", 10, 3, &["short"]);
        check("  ", 10, 3, &[]);
        check("One two. Three four. Five six.", 21, 3, &["One two. Three four.", "Five six."]);
        check("It costs 3.50 today ok", 12, 3, &["It costs", "3.50 today", "ok"]);
        check("First.\n\nSecond one is here", 20, 3, &["First.\n\nSecond one", "is here"]);
        check("A paragraph.\n\nIt goes. On", 20, 3, &["A paragraph.", "It goes. On"]);
        check("你好。再见。你好。", 6, 3, &["你好。再见。", "你好。"]);
        check("éééééééééé", 4, 3, &["éééé", "éééé", "éé"]);
    }

    #[test]
    fn what_is_behind_the_last_part_is_left_out() {
        check("aaaa bbbb cccc dddd", 5, 2, &["aaaa", "bbbb…"]);
        check("aaaa bbbb", 5, 1, &["aaaa…"]);
        check("aaaa bbbb", 5, 0, &["aaaa…"]);
    }

    proptest! {
        #[test]
        fn nothing_is_lost_or_too_long(text in "[a-zé。.!? \n]{0,200}", most in 1_usize..40, parts in 1_usize..300) {
            let split = split(&text, Limits { most, parts });
            prop_assert!(split.len() <= parts);
            prop_assert!(split.iter().all(|part| part.chars().count() <= most && !part.trim().is_empty()));
            if parts >= 200 {
                let words = |text: &str| text.chars().filter(|one| !one.is_whitespace()).collect::<String>();
                prop_assert_eq!(words(&split.concat()), words(&text));
            }
        }
    }
}
