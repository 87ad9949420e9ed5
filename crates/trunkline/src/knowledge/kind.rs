//! What kind of document it is.

/// Kinds that are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Markdown,
    Html,
    Pdf,
}

impl Kind {
    pub(super) const fn content_type(self) -> &'static str {
        match self {
            Self::Text => "text/plain",
            Self::Markdown => "text/markdown",
            Self::Html => "text/html",
            Self::Pdf => "application/pdf",
        }
    }

    /// By its content where that tells, then by what it is said to be, then by the end of its name.
    pub(super) fn of(content: &[u8], content_type: Option<&str>, title: &str) -> Option<Self> {
        if content.starts_with(b"%PDF-") {
            return Some(Self::Pdf);
        }
        if content.contains(&0) {
            return None;
        }
        let named = content_type.and_then(|kind| kind.split(';').next()).map(|kind| kind.trim().to_ascii_lowercase());
        let by_name = || match title.rsplit_once('.').map(|(_, end)| end.to_ascii_lowercase()).as_deref() {
            Some("md" | "markdown") => Some(Self::Markdown),
            Some("html" | "htm" | "xhtml") => Some(Self::Html),
            Some("pdf") => Some(Self::Pdf),
            Some("txt" | "text") => Some(Self::Text),
            _ => None,
        };
        match named.as_deref() {
            Some("text/markdown" | "text/x-markdown") => Some(Self::Markdown),
            Some("text/html" | "application/xhtml+xml") => Some(Self::Html),
            Some("application/pdf") => Some(Self::Pdf),
            // What clients say who do not know.
            None | Some("" | "text/plain" | "application/octet-stream" | "application/x-www-form-urlencoded") => {
                by_name().or(Some(Self::Text))
            }
            Some(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_content_counts_before_what_is_said_of_it() {
        for (content, said, title, expected) in [
            (&b"%PDF-1.7"[..], Some("text/plain"), "a.txt", Some(Kind::Pdf)),
            (b"# a", None, "a.md", Some(Kind::Markdown)),
            (b"# a", Some("text/markdown; charset=utf-8"), "a", Some(Kind::Markdown)),
            (b"<p>", Some("text/html"), "a.txt", Some(Kind::Html)),
            (b"<p>", Some("text/plain"), "a.html", Some(Kind::Html)),
            (b"words", None, "notes", Some(Kind::Text)),
            (b"a\0b", None, "a.txt", None),
            (b"PK", Some("application/zip"), "a.zip", None),
        ] {
            assert_eq!(Kind::of(content, said, title), expected, "{title} {said:?}");
        }
    }
}
