//! A `redis-server` of a test's own: free port, temporary directory, ended by its process id.

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// A running server; dropping it ends it.
pub struct RedisServer {
    directory: TempDir,
    port: u16,
    settings: Vec<String>,
    child: Child,
    is_running: bool,
}

/// A port that nobody uses at the moment.
pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
}

impl RedisServer {
    /// Starts an empty server and waits until it answers.
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// As [`RedisServer::start`] with further settings.
    pub fn start_with(settings: &[&str]) -> Self {
        let port = free_port();
        let directory = TempDir::new().unwrap();
        let settings: Vec<String> = settings.iter().map(|word| (*word).to_owned()).collect();
        let child = spawn(&directory, port, &settings);
        Self {
            directory,
            port,
            settings,
            child,
            is_running: true,
        }
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// What it was started with for a setting, such as `--cluster-port`.
    pub fn setting(&self, name: &str) -> &str {
        let at = self.settings.iter().position(|word| word == name);
        &self.settings[at.unwrap() + 1]
    }

    /// Whether it was not killed.
    pub fn is_running(&self) -> bool {
        self.is_running
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Ends the server without a chance to save anything, as `kill -9` does.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.is_running = false;
    }

    /// Starts again on the same port and directory.
    pub fn start_again(&mut self) {
        self.child = spawn(&self.directory, self.port, &self.settings);
        self.is_running = true;
    }

    /// Stops the process without closing its connections.
    pub fn pause(&self) {
        self.signal("-STOP");
    }

    pub fn resume(&self) {
        self.signal("-CONT");
    }

    /// Runs one command and gives its reply.
    pub fn command<T: redis::FromRedisValue>(&self, words: &[&[u8]]) -> T {
        let mut connection = redis::Client::open(self.url())
            .unwrap()
            .get_connection()
            .unwrap();
        let (name, arguments) = words.split_first().unwrap();
        let mut command = redis::cmd(std::str::from_utf8(name).unwrap());
        for argument in arguments {
            command.arg(*argument);
        }
        command.query(&mut connection).unwrap()
    }

    fn signal(&self, signal: &str) {
        let status = Command::new("kill")
            .args([signal, &self.child.id().to_string()])
            .status()
            .unwrap();
        assert!(status.success());
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}

fn spawn(directory: &TempDir, port: u16, settings: &[String]) -> Child {
    let child = Command::new("redis-server")
        .args(["--bind", "127.0.0.1", "--port", &port.to_string()])
        .args(["--save", "", "--appendonly", "no", "--dir"])
        .arg(directory.path())
        .args(settings)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap_or_else(|error| {
            panic!(
                "redis-server cannot be started ({error}); install it with \
                 `apt-get update && apt-get install -y redis-server`"
            )
        });
    let deadline = Instant::now() + Duration::from_secs(10);
    let client = redis::Client::open(format!("redis://127.0.0.1:{port}")).unwrap();
    while client
        .get_connection()
        .and_then(|mut connection| redis::cmd("PING").query::<String>(&mut connection))
        .is_err()
    {
        assert!(Instant::now() < deadline, "redis-server does not answer");
        std::thread::sleep(Duration::from_millis(10));
    }
    child
}
