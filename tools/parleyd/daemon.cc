// tools/parleyd/daemon.cc - the running process: start, reload, drain, stop.
#include "tools/parleyd/daemon.h"

#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <utility>

#include "tools/parleyd/exposition.h"
#include "tools/parleyd/flags.h"
#include "tools/parleyd/process.h"
#include "tools/parleyd/ready.h"
#include "tools/parleyd/version.h"

namespace parley::parleyd {
namespace {

using Kind = core::AdminRequest::Kind;
using Level = core::LogRecord::Level;
using std::chrono::milliseconds;

constexpr milliseconds answer_limit{2000};   // for a shard to answer the admin side
constexpr milliseconds start_limit{20'000};  // for all shards to come up: pools are mapped and touched
constexpr milliseconds reload_limit{8000};   // for files to be read again; parleyctl waits for 10 s
constexpr milliseconds delete_limit{8000};   // for all records of a user to be deleted; likewise
constexpr std::chrono::hours ticket_life{12};

milliseconds until(std::chrono::steady_clock::time_point at) {
  const auto left = at - std::chrono::steady_clock::now();
  return std::max(milliseconds(0), std::chrono::ceil<milliseconds>(left));
}

// Where it is whatever directory somebody looks from.
std::string whole_path(const std::string& directory) {
  std::error_code unknown;  // our own directory may be gone
  const std::filesystem::path whole = std::filesystem::absolute(directory, unknown).lexically_normal();
  return directory.empty() ? "memory" : unknown ? directory : whole.string();
}

std::string words(const std::vector<std::string>& list) {
  std::string text;
  for (const std::string& word : list) text += (text.empty() ? "" : ",") + word;
  return text;
}

}  // namespace

Daemon::Daemon(Settings settings, Origin origin, Loaded loaded, Notify notify)
    : settings_(std::move(settings)),
      origin_(std::move(origin)),
      loaded_(std::move(loaded)),
      notify_(std::move(notify)),
      log_level_(settings_.log_level) {}

Daemon::~Daemon() {
  // Who asks goes before who answers; resolver and store answer shards by mail, so their threads end before these and their
  // mailboxes after them.
  end_admin();
  if (shards_ != nullptr) {
    shards_->stop();
    shards_->join();
  }
  resolver_.reset();
  store_.reset();  // what the shards said last is committed
  shards_.reset();
  if (event_fd_ >= 0) ::close(event_fd_);
}

std::string Daemon::start() {
  const std::uint64_t descriptors = raise_descriptor_limit();
  if (settings_.connections_max == 0) {
    settings_.connections_max = static_cast<std::uint32_t>(std::min<std::uint64_t>(descriptors / 5 * 4, 10'000'000));
  }
  const auto shard_count = settings_.shards != 0 ? settings_.shards : static_cast<std::uint32_t>(usable_cpus().size());
  if (!settings_.dumpable && settings_.log_level != Level::debug) forbid_dumps();

  std::string error;
  logger_ = core::Logger::open(
      {.shards = shard_count, .format = settings_.log_format, .level = settings_.log_level, .file = ""}, &error);
  if (logger_ == nullptr) return error;
  for (const std::string& warning : loaded_.warnings) log(Level::warn, "config " + warning);

  event_fd_ = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (event_fd_ < 0) return "cannot make an eventfd";
  // Before anybody can connect: the store may be another process's.
  if (std::string why = open_store(); !why.empty()) return "--store: " + why;
  BoundListeners bound = bind_listeners(settings_, shard_count);
  if (!bound.error.empty()) return bound.error;
  listeners_ = bound.at;
  sip_listeners_ = bound.sip;

  shards_ = std::make_unique<ShardSet>(settings_, shard_count);
  resolver_ = std::make_unique<core::Resolver>(shards_->mailboxes(),
                                               core::ResolverConfig{.servers = settings_.dns_servers,
                                                                    .waiting_max = settings_.dns_waiting_max,
                                                                    .timeout = settings_.dns_timeout});
  gather_ = std::make_unique<Gather>(shard_count, [this](std::uint32_t shard, core::AdminRequest request) {
    shards_->mailboxes().post(shard, {.kind = core::Post::Kind::admin, .admin = std::move(request)});
    return true;
  });
  take_documents(settings_, loaded_);
  core::StoreContents stored;
  if (std::string why = read_store(stored); !why.empty()) return "--store: " + why;
  if (std::string why = bind_xcap(); !why.empty()) return why;
  auto config = begin_xcap(make_config(settings_, listeners_, sip_listeners_, std::move(loaded_.users)),
                           std::move(stored.xcap_documents));
  shards_->start({.admin = *this,
                  .log = *this,
                  .resolver = *resolver_,
                  .store = store_.get(),
                  .stored = std::move(stored),
                  .config = std::move(config),
                  .tls = loaded_.tls,
                  .listeners = std::move(bound.per_shard),
                  .sockets = std::move(bound.sockets_per_shard),
                  .ended_fd = event_fd_});
  if (!every_shard_answers(start_limit)) {
    const std::string why = shards_->error();
    return why.empty() ? "a shard does not come up" : why;
  }
  shards_->forget_stored();

  Ready ready;
  for (const RelayListenerAt& listener : listeners_) ready.msrp.push_back(to_string(listener));
  for (const RelayListenerAt& listener : sip_listeners_) ready.sip.push_back(to_string(listener));
  if (settings_.admin != "none") {
    const HostPort at = *parse_host_port(settings_.admin);
    admin_ = std::make_unique<AdminServer>(AdminConfig{at.host, at.port.value_or(0), loaded_.admin_token}, *this);
    if (const auto why = admin_->bind()) return *why;
    ready.admin = at.host + ":" + std::to_string(admin_->port());
    admin_->start();
  }
  if (xcap_http_ != nullptr) {
    ready.xcap = xcap_at_;
    xcap_http_->start();
  }
  state_ = State::serving;
  log(Level::info, std::string("started version=") + version + " shards=" + std::to_string(shard_count) +
                       " sip=" + words(ready.sip) + " msrp=" + words(ready.msrp) + " admin=" + (ready.admin.empty() ? "none" : ready.admin) + (ready.xcap.empty() ? "" : " xcap=" + words(ready.xcap)) +
                       " store=" + whole_path(settings_.store.directory) +
                       " connections_max=" + std::to_string(settings_.connections_max));
  if (const auto why = announce(ready_line(ready, ::getpid()), settings_.ready_file, settings_.ready_fd)) return *why;
  notify_.ready("serving on " + words(ready.sip) + " " + words(ready.msrp));
  return "";
}

std::string Daemon::open_store() {
  if (settings_.store.directory.empty()) return "";
  core::SqliteStoreConfig config = settings_.store;
  config.tell = [this](bool good, std::string text) { log(good ? Level::info : Level::error, text); };
  config.answer = [this](std::uint32_t shard, std::vector<core::StoreResult>&& results) {
    if (shard == shards_->count()) return xcap_->on_stored(std::move(results));
    shards_->mailboxes().post(shard, {.kind = core::Post::Kind::stored, .stored = std::move(results)});
  };
  std::string error;
  store_ = core::SqliteStore::open(std::move(config), error);
  return error;
}

std::string Daemon::read_store(core::StoreContents& stored) {
  if (store_ == nullptr) return "";
  const auto now_ms =
      std::chrono::duration_cast<milliseconds>(std::chrono::system_clock::now().time_since_epoch()).count();
  std::string error = store_->read(now_ms, stored);
  if (error.empty()) store_->start();
  return error;
}

std::string Daemon::backup(std::string& file) {
  if (store_ == nullptr) return "there is no store: --store memory, or no --sip";
  std::string why = store_->backup(file);
  if (why.empty()) file = whole_path(file);  // who asks may stand elsewhere
  return why;
}

bool Daemon::every_shard_answers(milliseconds limit) {
  const auto deadline = Clock::now() + limit;
  // In short rounds: a shard that could not start never answers.
  do {
    const auto answers = gather_->ask_all(Kind::summary, "", std::min(limit, milliseconds(500)));
    if (std::find(answers.begin(), answers.end(), std::nullopt) == answers.end()) return true;
    if (!shards_->error().empty()) return false;
  } while (Clock::now() < deadline);
  return false;
}

int Daemon::serve(int signal_fd) {
  if (const auto period = notify_.watchdog_period()) next_watchdog_ = Clock::now() + *period;
  if (loaded_.tls.server != nullptr) next_tickets_ = Clock::now() + ticket_life;
  while (!shards_->all_ended()) {
    auto next = std::min(next_watchdog_, next_tickets_);
    if (drain_ends_) next = std::min(next, *drain_ends_);
    const int wait_ms = next == Clock::time_point::max()
                            ? -1
                            : static_cast<int>(std::min<std::int64_t>(until(next).count(), 3'600'000));
    pollfd watched[] = {{signal_fd, POLLIN, 0}, {event_fd_, POLLIN, 0}};
    (void)::poll(watched, 2, wait_ms);
    eventfd_t seen = 0;
    (void)::eventfd_read(event_fd_, &seen);
    on_signals(signal_fd);
    answer_reloads();
    if (drain_asked_.exchange(false)) begin_drain();
    if (drain_ends_ && Clock::now() >= *drain_ends_) {
      log(Level::warn, "drain_timeout: closing what is left");
      drain_ends_.reset();
      shards_->stop();
    }
    if (Clock::now() >= next_tickets_) rotate_tickets();
    if (Clock::now() >= next_watchdog_) feed_watchdog();
  }
  const std::string error = shards_->error();
  if (!error.empty()) log(Level::error, "ended " + error);
  log(Level::info, stopped_at_once_ ? "stopped before the drain was over" : "stopped");
  end_admin();
  return error.empty() && !stopped_at_once_ ? 0 : 1;
}

// It waits for requests being served.
void Daemon::end_admin() {
  {
    const std::lock_guard lock(reload_mutex_);
    reloads_over_ = true;
  }
  reload_done_.notify_all();
  admin_.reset();  // it reports on the other one
  xcap_http_.reset();
}

void Daemon::on_signals(int signal_fd) {
  signalfd_siginfo info{};
  while (::read(signal_fd, &info, sizeof info) == static_cast<ssize_t>(sizeof info)) {
    if (info.ssi_signo == SIGHUP) {
      (void)reload_now();
    } else if (state_ != State::draining) {
      begin_drain();
    } else {
      log(Level::warn, "second signal: closing at once");
      stopped_at_once_ = true;
      shards_->stop();
    }
  }
}

void Daemon::begin_drain() {
  if (state_ == State::draining) return;
  state_ = State::draining;
  notify_.stopping();
  log(Level::info, "draining timeout_ms=" +
                       std::to_string(std::chrono::duration_cast<milliseconds>(settings_.drain_timeout).count()));
  drain_ends_ = Clock::now() + std::chrono::duration_cast<Clock::duration>(settings_.drain_timeout);
  shards_->drain();
}

void Daemon::drain() {
  drain_asked_ = true;
  ::eventfd_write(event_fd_, 1);
}

std::optional<std::string> Daemon::reload() {
  std::unique_lock lock(reload_mutex_);
  const std::uint64_t mine = ++reloads_asked_;
  ::eventfd_write(event_fd_, 1);
  const bool done = reload_done_.wait_for(lock, reload_limit, [&] { return reloads_answered_ >= mine || reloads_over_; });
  if (!done || reloads_answered_ < mine) return std::nullopt;
  return reload_answer_;
}

void Daemon::answer_reloads() {
  std::unique_lock lock(reload_mutex_);
  if (reloads_asked_ == reloads_answered_) return;
  const std::uint64_t asked = reloads_asked_;
  lock.unlock();
  std::string answer = reload_now();
  lock.lock();
  reloads_answered_ = asked;
  reload_answer_ = std::move(answer);
  reload_done_.notify_all();
}

std::string Daemon::reload_now() {
  notify_.reloading();
  const std::string error = try_reload();
  if (error.empty()) {
    log(Level::info, "reloaded");
  } else {
    log(Level::error, "reload refused, nothing has changed: " + error);
  }
  // Who waits for the counter finds the reason in the log.
  logger_->flush();
  ++(error.empty() ? reloads_good_ : reloads_bad_);
  notify_.ready(error.empty() ? "serving" : "serving; the last reload was refused");
  return error;
}

// All or nothing: everything is read and checked before the first shard hears of it.
std::string Daemon::try_reload() {
  Parsed parsed = parse_flags(origin_.arguments);
  if (parsed.outcome == Parsed::Outcome::bad) return parsed.text;
  Settings& fresh = parsed.settings;
  if (fresh.connections_max == 0) fresh.connections_max = settings_.connections_max;
  if (const std::string flags = needs_restart(settings_, fresh); !flags.empty()) return flags + " needs a restart";
  if (!origin_.users_on_command_line) origin_.users = digest_and_wipe(fresh.users, fresh.realm);
  if (tickets_ == nullptr && loaded_.tls.server != nullptr)
    tickets_ = core::TicketKeys::rotate(loaded_.tls.server->tickets());
  Loaded loaded = load_files(fresh, origin_.users, tickets_);
  if (!loaded.error.empty()) return loaded.error;
  const auto secure = [](const RelayListenerAt& at) {
    return at.spec.transport == core::Transport::tls || at.spec.transport == core::Transport::wss;
  };
  const bool has_tls_listener = std::any_of(listeners_.begin(), listeners_.end(), secure) ||
                                std::any_of(sip_listeners_.begin(), sip_listeners_.end(), secure);
  if (has_tls_listener && loaded.tls.server == nullptr) return "--tls-cert is needed for tls: and wss: listeners";

  for (const auto& list : {parsed.warnings, loaded.warnings}) {
    for (const std::string& warning : list) log(Level::warn, "config " + warning);
  }
  take_documents(fresh, loaded);
  fresh.sip.xcap.root = settings_.sip.xcap.root;
  if (fresh.sip.im.deferred.xcap_root.empty()) fresh.sip.im.deferred.xcap_root = settings_.sip.im.deferred.xcap_root;
  const std::shared_ptr<const policy::Config> config =
      make_config(fresh, listeners_, sip_listeners_, std::move(loaded.users));
  shards_->reload(config);
  shards_->reload(loaded.tls);
  reload_xcap(loaded, config);
  if (fresh.log_level != settings_.log_level) set_log_level(fresh.log_level);
  settings_ = std::move(fresh);
  loaded_ = std::move(loaded);
  return "";
}

// They reach the shards within the settings of SIP.
void Daemon::take_documents(Settings& settings, const Loaded& loaded) {
  settings.sip.documents = loaded.documents;
  const policy::Documents& all = *loaded.documents;
  groups_ = all.groups.size();
  access_rules_ = all.access_rules.size();
  user_policies_ = all.policy.users.size();
}

void Daemon::rotate_tickets() {
  next_tickets_ = Clock::now() + ticket_life;
  if (loaded_.tls.server == nullptr) return;
  tickets_ = core::TicketKeys::rotate(loaded_.tls.server->tickets());
  core::TlsConfig config;
  config.certificate_file = settings_.tls_cert;
  config.key_file = settings_.tls_key;
  config.ca_file = settings_.tls_ca;
  config.tickets = tickets_;
  std::string error;
  if (auto context = core::TlsContext::server(config, error)) {
    loaded_.tls.server = std::move(context);
    shards_->reload(loaded_.tls);
    if (xcap_http_ != nullptr) xcap_http_->set_tls(loaded_.tls.server);
  } else {
    log(Level::warn, "session ticket keys were not changed: " + error);
  }
}

void Daemon::feed_watchdog() {
  next_watchdog_ = Clock::now() + *notify_.watchdog_period();
  const auto answers = ask_all(Kind::summary, "");
  const auto silent = std::count(answers.begin(), answers.end(), std::nullopt);
  if (silent == 0 || state_ == State::draining) {
    notify_.watchdog();
  } else {
    log(Level::error, "watchdog silent_shards=" + std::to_string(silent));
  }
}

std::string Daemon::metrics() {
  using core::MetricType;
  std::vector<ProcessSample> facts = process_samples();
  const auto count = [](const std::atomic<std::uint64_t>& value) { return static_cast<double>(value.load()); };
  facts.push_back({"parley_build_info", MetricType::gauge, "The version, as a label.", {{"version", version}}, 1});
  facts.push_back({"parley_draining",
                   MetricType::gauge,
                   "1 while no new sessions are taken.",
                   {},
                   state_ == State::draining ? 1.0 : 0.0});
  facts.push_back({"parley_reloads_total",
                   MetricType::counter,
                   "Reloads by SIGHUP; refused ones changed nothing, the log says why.",
                   {{"result", "applied"}},
                   count(reloads_good_)});
  facts.push_back({"parley_reloads_total", MetricType::counter, "", {{"result", "refused"}}, count(reloads_bad_)});
  const auto documents = [&](const char* help, const char* kind, const std::atomic<std::uint64_t>& value) {
    facts.push_back({"parley_documents", MetricType::gauge, help, {{"kind", kind}}, count(value)});
  };
  documents("What was read from --documents and --group; a reload that is refused leaves it.", "group", groups_);
  documents("", "access_rules", access_rules_);
  documents("", "user_policy", user_policies_);
  put_xcap_facts(facts);
  if (store_ != nullptr) {
    const core::StoreCounts store = store_->counts();
    const auto fact = [&](const char* name, MetricType type, const char* help, std::uint64_t value) {
      facts.push_back({name, type, help, {}, static_cast<double>(value)});
    };
    fact("parley_store_operations_total", MetricType::counter, "Changes that are on the disk.", store.committed);
    fact("parley_store_commits_total", MetricType::counter, "Transactions that put them there.", store.commits);
    fact("parley_store_failures_total", MetricType::counter,
         "Transactions that the disk refused and that are tried again; the log says why.", store.failures);
    fact("parley_store_dropped_total", MetricType::counter,
         "Changes that found --store-waiting-max others waiting; the disk is too slow or refuses.", store.dropped);
    fact("parley_store_waiting", MetricType::gauge, "Changes that are not on the disk yet.", store.waiting);
    fact("parley_store_wal_bytes", MetricType::gauge,
         "Of the write-ahead log, while some of it is not in the file yet; somebody reads when it stays high.",
         store.wal_bytes);
  }
  facts.push_back({"parley_log_dropped_total",
                   MetricType::counter,
                   "Log records lost because a shard's ring was full; raise --log-level or look at the log's reader.",
                   {},
                   static_cast<double>(logger_->dropped())});
  return exposition(shards_->metrics(), facts);
}

Gather::Answers Daemon::ask_all(Kind kind, const std::string& argument) {
  return gather_->ask_all(kind, argument, kind == Kind::history_delete ? delete_limit : answer_limit);
}

std::optional<std::string> Daemon::ask(std::uint32_t shard, Kind kind, const std::string& argument) {
  return gather_->ask(shard, kind, argument, answer_limit);
}

void Daemon::set_log_level(Level level) {
  log_level_ = level;
  logger_->set_level(level);
}

void Daemon::reply(std::uint32_t, core::AdminReply reply) { gather_->answer(reply.id, std::move(reply.json)); }

}  // namespace parley::parleyd
