//! What a file is, by its first bytes.

use trunkline_agent::MediaKind;

/// Whether a file begins as those of a format do.
type Matcher = fn(&[u8]) -> bool;

/// Kind and media type of a file; `None` if it is none that is known.
pub(crate) fn sniff(bytes: &[u8]) -> Option<(MediaKind, &'static str)> {
    use infer::{audio, image, video};
    // M4A before MP4: it is one, with a brand of its own.
    let known: [(Matcher, MediaKind, &'static str); 10] = [
        (image::is_jpeg, MediaKind::Image, "image/jpeg"),
        (image::is_png, MediaKind::Image, "image/png"),
        (image::is_gif, MediaKind::Image, "image/gif"),
        (image::is_webp, MediaKind::Image, "image/webp"),
        (audio::is_m4a, MediaKind::Audio, "audio/mp4"),
        (video::is_mp4, MediaKind::Video, "video/mp4"),
        (is_webm, MediaKind::Video, "video/webm"),
        (audio::is_mp3, MediaKind::Audio, "audio/mpeg"),
        (audio::is_wav, MediaKind::Audio, "audio/wav"),
        (audio::is_ogg, MediaKind::Audio, "audio/ogg"),
    ];
    known.into_iter().find_map(|(is, kind, content_type)| is(bytes).then_some((kind, content_type)))
}

/// EBML with the document type `webm`; Matroska has the same first bytes.
fn is_webm(bytes: &[u8]) -> bool {
    const EBML: &[u8] = &[0x1a, 0x45, 0xdf, 0xa3];
    const HEAD: usize = 64;
    bytes.starts_with(EBML)
        && bytes.get(..HEAD.min(bytes.len())).is_some_and(|head| head.windows(4).any(|at| at == b"webm"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_tells_what_a_file_is() {
        let check = |bytes: &[u8], expected: Option<&str>| {
            assert_eq!(sniff(bytes).map(|(_, content_type)| content_type), expected, "{bytes:?}");
        };
        check(b"\xff\xd8\xff\xe0\0\x10JFIF", Some("image/jpeg"));
        check(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", Some("image/png"));
        check(b"GIF89a\x01\0\x01\0", Some("image/gif"));
        check(b"RIFF\x24\0\0\0WEBPVP8 ", Some("image/webp"));
        check(b"\0\0\0\x18ftypisom\0\0\x02\0isomiso2", Some("video/mp4"));
        check(b"\0\0\0\x18ftypM4A \0\0\x02\0isomiso2", Some("audio/mp4"));
        check(
            b"\x1a\x45\xdf\xa3\x9fB\x86\x81\x01B\xf7\x81\x01B\xf2\x81\x04B\xf3\x81\x08B\x82\x84webmB",
            Some("video/webm"),
        );
        check(b"\x1a\x45\xdf\xa3\x9fB\x86\x81\x01B\x82\x88matroskaB", None);
        check(b"ID3\x04\0\0\0\0\0\0", Some("audio/mpeg"));
        check(b"\xff\xfb\x90\x64\0\0\0\0", Some("audio/mpeg"));
        check(b"RIFF\x24\0\0\0WAVEfmt ", Some("audio/wav"));
        check(b"OggS\0\x02\0\0\0\0", Some("audio/ogg"));
        for nothing in [&b""[..], b"not really", b"%PDF-1.7", b"PK\x03\x04", b"<svg xmlns='...'>", b"MZ\x90\0"] {
            check(nothing, None);
        }
    }
}
