//! `cargo run --release -p vestibule-bench`: the gateway against a bare baseline, one table, in Markdown.
//!
//! Starts baseline, gateway and simulator as processes of their own (this binary again, under other roles), drives them
//! with one load generator, and takes CPU from the operating system's accounting. `docs/performance.md` keeps the last
//! table. Numbers from one machine at one moment: only the ratios within one run mean something elsewhere.

mod baseline;
mod bodies;
mod cpu;
mod deployment;
mod load;
mod machine;
mod roles;
mod rows;
mod stage;
mod table;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand};
use vestibule::plugin_host::{CHILD_VERB, child_main};

use crate::bodies::Casting;
use crate::rows::Wanted;
use crate::stage::Database;

/// The same as the `vestibule` binary's, for the baseline too.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[derive(Debug, Parser)]
#[command(about = "Measures Vestibule against a bare baseline and prints one table in Markdown")]
struct Arguments {
    /// How long one measurement lasts; the overload row lasts three times as long. 2 is enough to try the benchmark
    /// itself, its numbers are rough then.
    #[arg(long, default_value_t = 20)]
    seconds: u64,
    /// Only this database; both by default.
    #[arg(long)]
    database: Option<Database>,
    /// Only these rows, by name and separated by commas.
    #[arg(long, value_delimiter = ',')]
    rows: Vec<Wanted>,
    /// Rows of the list that the row `import` imports.
    #[arg(long, default_value_t = 1_000_000)]
    list: usize,
    /// Where the files of the run go: decides which disk is measured.
    #[arg(long, default_value = "/var/tmp")]
    folder: PathBuf,
    #[command(subcommand)]
    role: Option<Role>,
}

/// What this binary is when it was started by itself.
#[derive(Debug, Subcommand)]
enum Role {
    #[command(hide = true)]
    Baseline {
        listen: SocketAddr,
        database: String,
        secret: String,
    },
    #[command(hide = true)]
    SetUp { casting: Casting },
    #[command(hide = true)]
    Gateway {
        #[arg(long)]
        turns_paused: bool,
    },
    #[command(hide = true)]
    Simulator {
        listen: SocketAddr,
        records: usize,
        templates: usize,
        casting: Casting,
    },
}

fn main() -> anyhow::Result<ExitCode> {
    // The gateway compiles uploads in a child of its own binary, which is this one.
    if std::env::args_os()
        .nth(1)
        .is_some_and(|verb| verb == CHILD_VERB)
    {
        return Ok(child_main());
    }
    rustls::crypto::ring::default_provider()
        .install_default()
        .expect("nobody installed a provider before main");
    let arguments = Arguments::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        match arguments.role {
            Some(Role::Baseline {
                listen,
                database,
                secret,
            }) => baseline::serve(listen, &database, &secret).await,
            Some(Role::SetUp { casting }) => roles::set_up(casting).await,
            Some(Role::Gateway { turns_paused }) => roles::gateway(turns_paused).await,
            Some(Role::Simulator {
                listen,
                records,
                templates,
                casting,
            }) => roles::simulator(listen, records, templates, casting).await,
            None => measure(&arguments).await,
        }
    })?;
    Ok(ExitCode::SUCCESS)
}

#[allow(clippy::print_stdout, reason = "the table is the program's output")]
async fn measure(arguments: &Arguments) -> anyhow::Result<()> {
    println!("{}\n", machine::describe());
    if cfg!(debug_assertions) {
        println!("**A debug build: these numbers say nothing.**\n");
    }
    let both = [Database::Sqlite, Database::Postgres];
    let databases = both
        .into_iter()
        .filter(|kind| arguments.database.is_none_or(|only| only == *kind));
    for database in databases {
        let rows = rows::measure(
            database,
            &arguments.folder,
            Duration::from_secs(arguments.seconds),
            &arguments.rows,
            arguments.list,
        )
        .await?;
        println!("{}", table::render(database.name(), &rows));
    }
    Ok(())
}
