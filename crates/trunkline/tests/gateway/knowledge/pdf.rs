//! PDFs, made by hand: the smallest that readers read.

use std::fmt::Write as _;

/// A PDF with one line of text on each page.
pub(super) fn pdf(pages: &[&str]) -> Vec<u8> {
    let contents = pages.iter().map(|text| {
        let text = text.replace('\\', r"\\").replace('(', r"\(").replace(')', r"\)");
        format!("BT /F1 12 Tf 72 720 Td ({text}) Tj ET").into_bytes()
    });
    with_contents(&contents.collect::<Vec<_>>(), "")
}

/// A PDF whose pages have these streams of content, with more in each stream's dictionary.
pub(super) fn with_contents(contents: &[Vec<u8>], more: &str) -> Vec<u8> {
    let mut file = b"%PDF-1.4\n".to_vec();
    let mut places = Vec::new();
    let mut object = |file: &mut Vec<u8>, body: &[u8]| {
        places.push(file.len());
        file.extend_from_slice(format!("{} 0 obj\n", places.len()).as_bytes());
        file.extend_from_slice(body);
        file.extend_from_slice(b"\nendobj\n");
    };
    let kids: Vec<_> = (0..contents.len()).map(|page| format!("{} 0 R", 4 + page * 2)).collect();
    object(&mut file, b"<< /Type /Catalog /Pages 2 0 R >>");
    let tree = format!("<< /Type /Pages /Kids [{}] /Count {} >>", kids.join(" "), contents.len());
    object(&mut file, tree.as_bytes());
    object(&mut file, b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>");
    for (page, content) in contents.iter().enumerate() {
        let own = 5 + page * 2;
        let resources = "/MediaBox [0 0 612 792] /Resources << /Font << /F1 3 0 R >> >>";
        object(&mut file, format!("<< /Type /Page /Parent 2 0 R {resources} /Contents {own} 0 R >>").as_bytes());
        let mut stream = format!("<< /Length {} {more} >>\nstream\n", content.len()).into_bytes();
        stream.extend_from_slice(content);
        stream.extend_from_slice(b"\nendstream");
        object(&mut file, &stream);
    }
    let start = file.len();
    let mut table = format!("xref\n0 {}\n0000000000 65535 f \n", places.len() + 1);
    for place in &places {
        writeln!(table, "{place:010} 00000 n ").unwrap();
    }
    let size = places.len() + 1;
    write!(table, "trailer\n<< /Size {size} /Root 1 0 R >>\nstartxref\n{start}\n%%EOF\n").unwrap();
    file.extend_from_slice(table.as_bytes());
    file
}
