//! `cargo run --release -p vestibule-bench`: the gateway against a bare baseline, one table, in Markdown.
//!
//! Starts baseline, gateway and simulator as processes of their own (this binary again, under other roles), drives them
//! with one load generator, and takes CPU from the operating system's accounting. `docs/performance.md` keeps the last
//! table. Numbers from one machine at one moment: only the ratios within one run mean something elsewhere.

#![allow(
    dead_code,
    reason = "the rows that use the open-loop pace, the CPU readings and the budgets are still to be written"
)]

mod baseline;
mod bodies;
mod cpu;
mod load;
mod machine;
mod rows;
mod stage;
mod table;

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Parser, Subcommand};

use crate::rows::Wanted;
use crate::stage::Database;

#[derive(Debug, Parser)]
#[command(about = "Measures Vestibule against a bare baseline and prints one table in Markdown")]
struct Arguments {
    /// A tenth of the time: for trying the benchmark itself. Its numbers are rough.
    #[arg(long)]
    quick: bool,
    /// Only this database; both by default.
    #[arg(long)]
    database: Option<Database>,
    /// Only these rows, by name and separated by commas.
    #[arg(long, value_delimiter = ',')]
    rows: Vec<Wanted>,
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
}

fn main() -> anyhow::Result<()> {
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
            None => measure(&arguments).await,
        }
    })
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
            arguments.quick,
            &arguments.rows,
        )
        .await?;
        println!("{}", table::render(database.name(), &rows));
    }
    Ok(())
}
