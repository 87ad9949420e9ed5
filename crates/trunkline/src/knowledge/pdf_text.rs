//! The program that reads one PDF and ends: `trunkline pdf-text`.
//!
//! It gives itself limits before it looks at the file, so that a file that unfolds without end takes this process and
//! nothing else with it.

use std::io::{self, Read as _, Write as _};

use rustix::process::{Resource, Rlimit, setrlimit};

/// Exit code: the file needs a password.
pub const EXIT_ENCRYPTED: i32 = 3;
/// Exit code: the file cannot be read.
pub const EXIT_UNREADABLE: i32 = 4;
/// Exit code: reading the file took more memory than it may.
pub const EXIT_TOO_HEAVY: i32 = 5;
/// Memory that reading one file may take, in bytes. A file that took more is refused, whatever could be read of it.
pub const MAX_MEMORY: u64 = 768 << 20;
/// Address space of the process, in bytes: where this ends, so does it.
const MAX_ADDRESSES: u64 = 2 << 30;
/// Processor time that reading one file may take, in seconds.
const MAX_SECONDS: u64 = 45;
/// The largest file that is read at all, in bytes.
const MAX_FILE: u64 = 100 << 20;
/// Pages of one file; those behind are not read.
const MAX_PAGES: usize = 2_000;

/// Reads a PDF from standard input and writes its text, pages separated by form feeds, to standard output. Returns the
/// exit code.
pub fn run(max_memory: u64) -> i32 {
    limit(Resource::As, MAX_ADDRESSES);
    limit(Resource::Cpu, MAX_SECONDS);
    limit(Resource::Fsize, 0);
    limit(Resource::Core, 0);
    // Libraries that talk on standard output do not talk into the text.
    let Ok(out) = rustix::io::dup(rustix::stdio::stdout()) else { return EXIT_UNREADABLE };
    let silenced =
        std::fs::OpenOptions::new().write(true).open("/dev/null").map(|null| rustix::stdio::dup2_stdout(&null).is_ok());
    if !matches!(silenced, Ok(true)) {
        return EXIT_UNREADABLE;
    }
    let mut file = Vec::new();
    if io::stdin().lock().take(MAX_FILE + 1).read_to_end(&mut file).is_err() || file.len() as u64 > MAX_FILE {
        return EXIT_UNREADABLE;
    }
    // A library that gives up in the middle has not read the file; what it says about that is nobody's to read.
    std::panic::set_hook(Box::new(|_| {}));
    let read = std::panic::catch_unwind(|| pdf_extract::extract_text_from_mem_by_pages(&file));
    if peak_memory().is_some_and(|peak| peak > max_memory) {
        return EXIT_TOO_HEAVY;
    }
    match read {
        Ok(Ok(pages)) => {
            let pages: Vec<_> = pages.into_iter().take(MAX_PAGES).collect();
            let mut out = std::fs::File::from(out);
            match out.write_all(pages.join("\u{c}").as_bytes()) {
                Ok(()) => 0,
                Err(_) => EXIT_UNREADABLE,
            }
        }
        Ok(Err(error)) if error.to_string().to_lowercase().contains("crypt") => EXIT_ENCRYPTED,
        Ok(Err(_)) | Err(_) => EXIT_UNREADABLE,
    }
}

/// The most memory that this process has had, in bytes.
fn peak_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kilobytes| kilobytes << 10)
}

fn limit(resource: Resource, most: u64) {
    // A system that refuses keeps its own limit.
    let _kept = setrlimit(resource, Rlimit { current: Some(most), maximum: Some(most) }).is_err();
}
