//! The server under load, and what it costs.

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// Clock ticks in a second as `/proc` counts them (`getconf CLK_TCK`; 100 on every Linux this runs on).
const TICKS_PER_SECOND: u64 = 100;

/// A child process that is ended on drop.
pub(super) struct Server(Child);

impl Server {
    /// Starts this program with `args`. Its talk is dropped; settings of the caller's environment do not reach it.
    pub(super) fn start(args: &[&str], env: &[(&str, String)]) -> Result<Self, String> {
        let program = std::env::current_exe().map_err(|error| format!("this program cannot be found: {error}"))?;
        Self::start_program(Command::new(program).args(args), env)
    }

    /// As [`Self::start`], for another program.
    pub(super) fn start_program(command: &mut Command, env: &[(&str, String)]) -> Result<Self, String> {
        for (name, _) in std::env::vars_os() {
            let name_text = name.to_string_lossy();
            if name_text.starts_with("TWILIO_") || name_text.starts_with("TRUNKLINE_") || name_text.starts_with("OTEL_")
            {
                command.env_remove(&name);
            }
        }
        command
            .envs(env.iter().map(|(name, value)| (*name, value.as_str())))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        command.spawn().map(Self).map_err(|error| format!("the server cannot be started: {error}"))
    }

    /// Processor time it has used so far, in user and kernel mode.
    pub(super) fn cpu(&self) -> Result<Duration, String> {
        cpu(&self.0.id().to_string())
    }

    /// Memory that it holds now, in KiB.
    pub(super) fn memory_kib(&self) -> Result<u64, String> {
        memory_kib(&self.0.id().to_string())
    }
}

/// This process, for [`cpu`] and [`memory_kib`].
pub(super) const THIS: &str = "self";

/// Processor time that a process has used so far, in user and kernel mode (`/proc/PID/stat`, fields 14 and 15).
pub(super) fn cpu(process: &str) -> Result<Duration, String> {
    let stat = proc(process, "stat")?;
    let fields = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let ticks: u64 = fields.split_whitespace().skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum();
    Ok(Duration::from_millis(ticks * 1000 / TICKS_PER_SECOND))
}

/// Memory that a process holds now, in KiB (`VmRSS`).
pub(super) fn memory_kib(process: &str) -> Result<u64, String> {
    let status = proc(process, "status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
    line.split_whitespace().next().and_then(|number| number.parse().ok()).ok_or_else(|| "no VmRSS".to_owned())
}

fn proc(process: &str, file: &str) -> Result<String, String> {
    let path = format!("/proc/{process}/{file}");
    fs::read_to_string(&path).map_err(|error| format!("{path} cannot be read: {error}"))
}

impl Drop for Server {
    fn drop(&mut self) {
        let _gone = self.0.kill().is_err();
        let _reaped = self.0.wait().is_err();
    }
}

/// A folder that is removed on drop.
pub(super) struct Folder(PathBuf);

impl Folder {
    pub(super) fn new() -> Result<Self, String> {
        let path = std::env::temp_dir().join(format!("trunkline-bench-{:016x}", rand::random::<u64>()));
        fs::create_dir(&path).map_err(|error| format!("{} cannot be made: {error}", path.display()))?;
        Ok(Self(path))
    }

    pub(super) fn path(&self) -> String {
        self.0.display().to_string()
    }

    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _left = fs::remove_dir_all(&self.0).is_err();
    }
}

/// A port that was free a moment ago.
pub(super) fn free_port() -> Result<u16, String> {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).map_err(|error| format!("no free port: {error}"))?;
    listener.local_addr().map(|address| address.port()).map_err(|error| format!("no free port: {error}"))
}
