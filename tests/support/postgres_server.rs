//! A PostgreSQL server of a test's own: free port, temporary directory, ended by its process id.

use std::io::Write;
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use postgres::{Client, NoTls};
use tempfile::TempDir;

/// Keeps the server, and ends it with the signal that is read. When the test is gone it ends it at once and removes its
/// directory, which nobody else does then. It is the server's parent, so that the server ends even with a test that was
/// killed.
const KEEPER: &str = r#""$0" "$@" & server=$!
if read -r signal; then
    kill "-$signal" "$server"; wait "$server"
else
    kill -QUIT "$server"; wait "$server"; rm -rf "$DIRECTORY"
fi"#;

/// A running server; dropping it ends it.
pub struct PostgresServer {
    directory: TempDir,
    port: u16,
    keeper: Child,
    databases: AtomicU32,
}

impl PostgresServer {
    /// Starts an empty server and waits until it answers.
    pub fn start() -> Self {
        let directory = TempDir::new().unwrap();
        if is_root() {
            // The server refuses to run as root.
            let (user, group) = postgres_ids();
            chown(directory.path(), Some(user), Some(group)).unwrap();
        }
        std::fs::set_permissions(directory.path(), PermissionsExt::from_mode(0o700)).unwrap();
        let made = server_program("initdb")
            .arg("--pgdata")
            .arg(directory.path())
            .args([
                "--username",
                "risktier",
                "--auth",
                "trust",
                "--encoding",
                "UTF8",
            ])
            .args(["--no-locale", "--no-sync"])
            .output()
            .unwrap();
        assert!(
            made.status.success(),
            "{}",
            String::from_utf8_lossy(&made.stderr)
        );
        let port = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let keeper = spawn(directory.path(), port);
        Self {
            directory,
            port,
            keeper,
            databases: AtomicU32::new(0),
        }
    }

    /// The server that the tests of this process share. It ends with the process.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<PostgresServer> = OnceLock::new();
        SHARED.get_or_init(Self::start)
    }

    /// Makes an empty database and gives its address.
    pub fn new_database(&self) -> String {
        let name = format!("test{}", self.databases.fetch_add(1, Ordering::SeqCst));
        self.run("postgres", &format!("CREATE DATABASE {name}"));
        self.url(&name)
    }

    pub fn url(&self, database: &str) -> String {
        format!("postgresql://risktier@127.0.0.1:{}/{database}", self.port)
    }

    /// Runs statements in one database.
    pub fn run(&self, database: &str, sql: &str) {
        let mut client = Client::connect(&self.url(database), NoTls).unwrap();
        client.batch_execute(sql).unwrap();
    }

    /// Waits until nobody is connected to the database.
    pub fn wait_until_unused(&self, database: &str) {
        let mut client = Client::connect(&self.url("postgres"), NoTls).unwrap();
        let deadline = Instant::now() + Duration::from_secs(20);
        let sql = "SELECT count(*) FROM pg_stat_activity WHERE datname = $1";
        while client
            .query_one(sql, &[&database])
            .unwrap()
            .get::<_, i64>(0)
            > 0
        {
            assert!(Instant::now() < deadline, "`{database}` is still in use");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Ends the server with no chance to finish anything, as a crash does.
    pub fn crash(&mut self) {
        self.end("QUIT");
    }

    /// Ends the server in order; its connections are cut.
    pub fn stop(&mut self) {
        self.end("INT");
    }

    /// Starts again on the same port and directory.
    pub fn start_again(&mut self) {
        self.keeper = spawn(self.directory.path(), self.port);
    }

    fn end(&mut self, signal: &str) {
        if let Some(mut input) = self.keeper.stdin.take() {
            let _told = writeln!(input, "{signal}");
        }
        let _reaped = self.keeper.wait();
    }
}

impl Drop for PostgresServer {
    fn drop(&mut self) {
        self.end("QUIT");
    }
}

fn spawn(directory: &Path, port: u16) -> Child {
    let server = server_program("postgres");
    let child = Command::new("sh")
        .args(["-c", KEEPER])
        .env("DIRECTORY", directory)
        .arg(server.get_program())
        .args(server.get_args())
        .arg("-D")
        .arg(directory)
        .args(["-p", &port.to_string(), "-c", "listen_addresses=127.0.0.1"])
        .args(["-c", "unix_socket_directories=", "-c", "fsync=off"])
        .args(["-c", "full_page_writes=off", "-c", "max_connections=200"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let deadline = Instant::now() + Duration::from_secs(30);
    let url = format!("postgresql://risktier@127.0.0.1:{port}/postgres");
    while let Err(error) = Client::connect(&url, NoTls) {
        assert!(
            Instant::now() < deadline,
            "the PostgreSQL server does not answer: {error}"
        );
        std::thread::sleep(Duration::from_millis(20));
    }
    child
}

/// A program of the server, run as the user `postgres` when the test runs as root.
fn server_program(name: &str) -> Command {
    let path = find(name).unwrap_or_else(|| {
        panic!(
            "`{name}` of PostgreSQL is missing; install it with \
             `apt-get update && apt-get install -y postgresql`"
        )
    });
    if !is_root() {
        return Command::new(path);
    }
    let mut command = Command::new("setpriv");
    let (user, group) = postgres_ids();
    command
        .args([format!("--reuid={user}"), format!("--regid={group}")])
        .arg("--clear-groups")
        .arg(path)
        .current_dir("/");
    command
}

/// From the search path, or from where Debian keeps the servers of each version; the newest there.
fn find(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut found: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .filter_map(|version| Some(version.ok()?.path().join("bin").join(name)))
        .filter(|program| program.is_file())
        .collect();
    found.sort();
    std::env::split_paths(&path)
        .map(|folder| folder.join(name))
        .find(|program| program.is_file())
        .or(found.pop())
}

fn is_root() -> bool {
    std::fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0)
}

/// User and group of the account `postgres`.
fn postgres_ids() -> (u32, u32) {
    let accounts = std::fs::read_to_string("/etc/passwd").unwrap();
    let account = accounts
        .lines()
        .find(|line| line.starts_with("postgres:"))
        .expect("there is no account `postgres`; `apt-get install -y postgresql` makes it");
    let ids: Vec<&str> = account.split(':').collect();
    (ids[2].parse().unwrap(), ids[3].parse().unwrap())
}
