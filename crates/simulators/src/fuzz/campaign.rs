//! One reader under fire.

use std::{
    any::Any,
    fs,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use rand::{SeedableRng as _, rngs::StdRng};

/// Given to each target when nothing else is said.
const SECONDS: u64 = 3;
/// A campaign makes at least this many inputs, however little time it has: a test that tries nothing proves nothing.
const LEAST: u64 = 100;
/// An input that keeps its reader busy for longer has hung it. Inputs take milliseconds; the rest is for busy machines.
const HUNG: Duration = Duration::from_secs(60);

/// Inputs made from a seed for one reader.
pub struct Campaign {
    name: &'static str,
    seed: u64,
    time: Duration,
    replay: Option<PathBuf>,
    totals: Option<PathBuf>,
    kept: PathBuf,
    scratch: PathBuf,
}

/// The input at work, for whoever watches the clock.
type AtWork = Arc<Mutex<Option<(Instant, Vec<u8>)>>>;

impl Campaign {
    /// The campaign of this name, as the environment wants it. Inputs that once failed lie in `kept/NAME/`; new ones are
    /// written below `scratch`.
    ///
    /// # Panics
    /// When a variable does not hold a number.
    #[must_use]
    pub fn new(name: &'static str, kept: &Path, scratch: &Path) -> Self {
        let file = |variable: &str| std::env::var_os(variable).map(PathBuf::from);
        Self {
            name,
            seed: number("MILLRACE_FUZZ_SEED").unwrap_or(1),
            time: Duration::from_secs(number("MILLRACE_FUZZ_SECONDS").unwrap_or(SECONDS)),
            replay: file("MILLRACE_FUZZ_INPUT"),
            totals: file("MILLRACE_TOTALS"),
            kept: kept.join(name),
            scratch: scratch.join("fuzz"),
        }
    }

    /// Plays kept inputs, then new ones until the time is over. `drive` says what is wrong with what the reader made of an
    /// input.
    ///
    /// # Panics
    /// At the first failure, with the file that holds the input and the line that plays it again.
    pub fn run(self, make: impl Fn(&mut StdRng) -> Vec<u8>, drive: impl Fn(&[u8]) -> Result<(), String>) {
        if let Some(file) = &self.replay {
            let input = fs::read(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
            self.play(&input, &drive, file);
            return;
        }
        let at_work: AtWork = Arc::default();
        let done = Arc::new(AtomicBool::new(false));
        let watch = self.watch(Arc::clone(&at_work), Arc::clone(&done));
        let guarded = |input: &[u8]| {
            *lock(&at_work) = Some((Instant::now(), input.to_vec()));
            let verdict = drive(input);
            *lock(&at_work) = None;
            verdict
        };
        let kept = self.kept_inputs();
        for (file, input) in &kept {
            self.play(input, &guarded, file);
        }
        let start = Instant::now();
        let mut made = 0_u64;
        while made < LEAST || start.elapsed() < self.time {
            // Each input has dice of its own, so that one can be made again without those before it.
            let mut dice = StdRng::seed_from_u64(self.seed.wrapping_mul(1_000_000_007).wrapping_add(made));
            let input = make(&mut dice);
            let file = self.scratch.join(format!("{}-{}-{made}.input", self.name, self.seed));
            self.play(&input, &guarded, &file);
            made += 1;
        }
        done.store(true, Ordering::Release);
        watch.thread().unpark();
        let ended = watch.join();
        assert!(ended.is_ok(), "the watch has ended by itself");
        self.tell(made, kept.len(), start.elapsed());
    }

    /// One input. The file is written only when it is not there yet.
    fn play(&self, input: &[u8], drive: &impl Fn(&[u8]) -> Result<(), String>, file: &Path) {
        let problem = match catch_unwind(AssertUnwindSafe(|| drive(input))) {
            Ok(Ok(())) => return,
            Ok(Err(problem)) => problem,
            Err(panic) => format!("it panicked: {}", words(panic.as_ref())),
        };
        self.keep(input, file);
        panic!("{}", self.told(&problem, file));
    }

    fn keep(&self, input: &[u8], file: &Path) {
        if !file.exists() {
            let written = fs::create_dir_all(&self.scratch).and_then(|()| fs::write(file, input));
            assert!(written.is_ok(), "the failing input cannot be written to {}", file.display());
        }
    }

    fn told(&self, problem: &str, file: &Path) -> String {
        format!(
            "{name}: {problem}\nthe input is in {file}\nplay it again: MILLRACE_FUZZ_INPUT={file} with this test alone\nkeep it: copy it into {kept}",
            name = self.name,
            file = file.display(),
            kept = self.kept.display(),
        )
    }

    fn kept_inputs(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let entries = fs::read_dir(&self.kept).into_iter().flatten().flatten();
        let mut files: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
        files.sort();
        files.into_iter().filter_map(|file| fs::read(&file).ok().map(|input| (file, input))).collect()
    }

    /// Ends the whole test when one input takes for ever: nothing else can end a loop that waits for nothing.
    fn watch(&self, at_work: AtWork, done: Arc<AtomicBool>) -> std::thread::JoinHandle<()> {
        let (name, seed, scratch, kept) = (self.name, self.seed, self.scratch.clone(), self.kept.clone());
        std::thread::spawn(move || {
            while !done.load(Ordering::Acquire) {
                let hung = lock(&at_work).clone().filter(|(since, _)| since.elapsed() > HUNG);
                if let Some((_, input)) = hung {
                    let file = scratch.join(format!("{name}-{seed}-hung.input"));
                    let written = fs::create_dir_all(&scratch).and_then(|()| fs::write(&file, input));
                    #[expect(clippy::print_stderr, reason = "the process ends here")]
                    {
                        eprintln!(
                            "{name}: an input keeps its reader busy for more than {HUNG:?}; it is in {} ({written:?}), keep it in {}",
                            file.display(),
                            kept.display()
                        );
                    }
                    std::process::abort();
                }
                std::thread::park_timeout(Duration::from_secs(1));
            }
        })
    }

    fn tell(&self, made: u64, kept: usize, time: Duration) {
        let totals = serde_json::json!({
            "target": self.name, "seed": self.seed, "inputs": made, "kept inputs": kept, "seconds": time.as_secs(), "failures": 0,
        });
        #[expect(clippy::print_stdout, reason = "shown only when asked for")]
        {
            println!("{totals}");
        }
        if let Some(file) = &self.totals {
            let written = fs::write(file, totals.to_string());
            assert!(written.is_ok(), "the totals cannot be written to {}", file.display());
        }
    }
}

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable} must be a number, not {text:?}")))
}

fn lock(at_work: &AtWork) -> std::sync::MutexGuard<'_, Option<(Instant, Vec<u8>)>> {
    at_work.lock().unwrap_or_else(PoisonError::into_inner)
}

fn words(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "without words".to_owned())
}
