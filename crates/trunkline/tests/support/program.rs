//! The built program as a process of its own.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::until;

const TRUNKLINE: &str = env!("CARGO_BIN_EXE_trunkline");

/// A running program; killed when dropped.
pub(crate) struct Program {
    child: Child,
    folder: PathBuf,
    name: &'static str,
}

/// A program that has ended.
#[derive(Debug)]
pub(crate) struct Finished {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

fn command(program: &Path, folder: &Path, env: &BTreeMap<String, String>, args: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(args).current_dir(folder).env_clear().envs(env).stdin(Stdio::null());
    command
}

impl Program {
    /// Starts the program in `folder`; what it prints goes to files there that begin with `name`.
    pub(crate) fn start(name: &'static str, folder: &Path, env: &BTreeMap<String, String>, args: &[&str]) -> Self {
        Self::run_in(folder, name, command(Path::new(TRUNKLINE), folder, env, args))
    }

    /// Starts an example program of this crate, as [`start`](Self::start) does. It is built with all targets.
    pub(crate) fn example(name: &'static str, folder: &Path, env: &BTreeMap<String, String>) -> Self {
        let program = Path::new(TRUNKLINE).with_file_name("examples").join(name);
        assert!(program.exists(), "build it first: cargo build -p trunkline --example {name}");
        Self::run_in(folder, name, command(&program, folder, env, &[]))
    }

    fn run_in(folder: &Path, name: &'static str, mut command: Command) -> Self {
        let file = |kind: &str| File::create(folder.join(format!("{name}.{kind}"))).unwrap();
        let child = command.stdout(file("out")).stderr(file("err")).spawn().unwrap();
        Self { child, folder: folder.to_owned(), name }
    }

    /// Runs the program to its end.
    pub(crate) async fn run(folder: &Path, env: &BTreeMap<String, String>, args: &[&str]) -> Finished {
        let mut command = command(Path::new(TRUNKLINE), folder, env, args);
        let output = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Finished { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }

    fn printed(&self, kind: &str) -> String {
        std::fs::read_to_string(self.folder.join(format!("{}.{kind}", self.name))).unwrap()
    }

    pub(crate) fn stdout(&self) -> String {
        self.printed("out")
    }

    pub(crate) fn stderr(&self) -> String {
        self.printed("err")
    }

    /// Waits for a line of data that begins with `label`, and returns what follows.
    pub(crate) async fn told(&mut self, label: &str) -> String {
        until(&format!("the program tells its {label}"), async || {
            let ended = self.child.try_wait().unwrap();
            assert!(ended.is_none(), "the program ended with {ended:?}: {}", self.stderr());
            let printed = self.stdout();
            let found = printed.lines().find_map(|line| line.strip_prefix(label))?;
            Some(found.split_whitespace().next().unwrap().to_owned())
        })
        .await
    }

    /// Asks it to end as an operator would, and waits for that; its exit code.
    pub(crate) async fn terminate(&mut self) -> Option<i32> {
        let kill = format!("kill -TERM {}", self.child.id());
        assert!(Command::new("/bin/sh").args(["-c", &kill]).status().unwrap().success());
        until("the program ends", async || self.child.try_wait().unwrap()).await.code()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended by itself.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
