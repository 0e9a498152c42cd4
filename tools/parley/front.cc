// tools/parley/front.cc - see front.h.
#include "tools/parley/front.h"

#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <charconv>
#include <cstdio>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "core/entropy.h"
#include "core/mailbox.h"
#include "core/resolver.h"
#include "core/tls.h"
#include "sip/uri.h"
#include "tools/parley/disk_files.h"
#include "tools/parley/http_xcap.h"
#include "tools/parley/network.h"
#include "tools/parley/requests.h"
#include "tools/parley/screen.h"
#include "tools/parleyd/version.h"

namespace parley::client {

namespace {

// Lines, and what the XCAP server has said, come as admin requests.
constexpr auto of_line = core::AdminRequest::Kind::summary;
constexpr auto of_last_line = core::AdminRequest::Kind::list_sessions;
constexpr auto of_xcap = core::AdminRequest::Kind::history_delete;  // ticket as id, status as argument

// The client and its job as a Worker.
class Front final : public core::Worker {
 public:
  Front(core::Pool& pool, core::Metrics& metrics, core::Mailboxes& mailboxes, ClientConfig config, FileStore& files,
        FileStore& fetched, XcapClient* xcap, std::unique_ptr<Job> job, Screen& screen)
      : pool_(pool),
        metrics_(metrics),
        mailboxes_(mailboxes),
        config_(std::move(config)),
        files_(files),
        fetched_(fetched),
        xcap_(xcap),
        job_(std::move(job)),
        screen_(screen) {}

  void step(std::span<const core::Input> batch, const core::Now& now, core::Outbox& out) override {
    const bool first = client_ == nullptr;
    if (first) {
      client_ = std::make_unique<Client>(Client::Parts{.pool = pool_,
                                                       .metrics = metrics_,
                                                       .seed = core::system_seed(),
                                                       .start = now.mono,
                                                       .files = files_,
                                                       .fetched = fetched_,
                                                       .xcap = xcap_,
                                                       .config = std::move(config_)});
    }
    client_->begin(now, out);
    if (first) job_->start(*client_, now.mono);
    for (const core::Input& input : batch) {
      switch (input.kind) {
        case core::Input::Kind::admin:
          if (input.admin->kind == of_line) job_->on_line(*client_, input.admin->argument);
          if (input.admin->kind == of_last_line) job_->on_line(*client_, std::nullopt);
          if (input.admin->kind == of_xcap) {
            std::uint16_t status = 0;
            const std::string& said = input.admin->argument;
            (void)std::from_chars(said.data(), said.data() + said.size(), status);
            client_->on_erased(static_cast<std::uint32_t>(input.admin->id), status);
          }
          break;
        case core::Input::Kind::drain:
          draining_ = true;
          if (!job_->status()) job_->on_stop(*client_);
          client_->stop();
          break;
        case core::Input::Kind::bytes: client_->take(input, pool_.view(input.slice)); break;
        default: client_->take(input, {}); break;
      }
      tell();
    }
    client_->end();
    tell();
    job_->on_time(*client_, now.mono);
    client_->end();  // what the job asked for goes out with this step
    tell();
    if (job_->status() && !ending_) {
      ending_ = true;
      mailboxes_.post(0, {.kind = core::Post::Kind::drain});
    }
    if (draining_ && client_->over()) out.drained();
    out.deadline(std::min(client_->next_deadline(), job_->status() ? core::never : job_->deadline()));
  }

  [[nodiscard]] int status() const { return job_->status().value_or(exit_unreachable); }

 private:
  void tell() {
    for (Event event(""); client_->next(event);) {
      job_->on_event(*client_, event);
      if (event.name != "roster") continue;
      for (const Event::Field& field : event.fields) {
        if (field.key != "users") continue;
        std::vector<std::string> names = field.items;  // a peer wrote them, and the terminal shows them
        std::erase_if(names, [](const std::string& name) { return !can_be_called(name); });
        screen_.know(std::move(names));
      }
    }
    if (const std::string text = job_->take_output(); !text.empty()) screen_.show(text);
    if (const std::string text = job_->take_complaint(); !text.empty()) screen_.complain(text);
  }

  core::Pool& pool_;
  core::Metrics& metrics_;
  core::Mailboxes& mailboxes_;
  ClientConfig config_;
  FileStore& files_;
  FileStore& fetched_;
  XcapClient* const xcap_;
  std::unique_ptr<Job> job_;
  Screen& screen_;
  std::unique_ptr<Client> client_;
  bool draining_ = false;
  bool ending_ = false;
};

// Signals and lines, until `end_fd` says that all is over.
class Outside {
 public:
  Outside(core::Mailboxes& mailboxes, Screen& screen, int signal_fd, int end_fd, bool lines)
      : mailboxes_(mailboxes), screen_(screen), signal_fd_(signal_fd), end_fd_(end_fd), lines_(lines) {}

  void run() {
    int interrupts = 0;
    if (lines_) screen_.begin([this](std::optional<std::string> line) { post(std::move(line)); });
    for (;;) {
      pollfd watched[] = {{end_fd_, POLLIN, 0},
                          {signal_fd_, POLLIN, 0},
                          {lines_ ? STDIN_FILENO : -1, POLLIN, 0},
                          {screen_.wake_fd(), POLLIN, 0}};
      if (::poll(watched, 4, -1) < 0) continue;
      if (watched[3].revents != 0) screen_.on_wake();
      if (watched[0].revents != 0) break;
      if (watched[1].revents != 0) {
        signalfd_siginfo info{};
        if (::read(signal_fd_, &info, sizeof info) == static_cast<ssize_t>(sizeof info)) {
          mailboxes_.post(0, {.kind = ++interrupts == 1 ? core::Post::Kind::drain : core::Post::Kind::stop});
        }
      }
      if (watched[2].revents != 0) lines_ = screen_.on_input();
    }
    screen_.end();
  }

 private:
  void post(std::optional<std::string> line) {
    core::AdminRequest request;
    request.kind = line ? of_line : of_last_line;
    if (line) request.argument = std::move(*line);
    mailboxes_.post(0, {.kind = core::Post::Kind::admin, .admin = std::move(request)});
  }

  core::Mailboxes& mailboxes_;
  Screen& screen_;
  int signal_fd_;
  int end_fd_;
  bool lines_;
};

std::string uuid_of(const core::Seed& seed) {  // RFC 4122 version 4
  static constexpr char hex[] = "0123456789abcdef";
  std::string out = "urn:uuid:";
  for (std::size_t i = 0; i < 16; ++i) {
    std::uint8_t byte = seed[i];
    if (i == 6) byte = static_cast<std::uint8_t>((byte & 0x0f) | 0x40);
    if (i == 8) byte = static_cast<std::uint8_t>((byte & 0x3f) | 0x80);
    if (i == 4 || i == 6 || i == 8 || i == 10) out += '-';
    out += hex[byte >> 4];
    out += hex[byte & 15];
  }
  return out;
}

// False: `aor` is no sip URI of a user.
bool configure(const Settings& settings, const Network& network, const std::string& password, ClientConfig& config) {
  sip::Uri aor;
  if (!sip::parse_uri(settings.user, aor) || aor.user.empty() ||
      (aor.scheme != sip::Scheme::sip && aor.scheme != sip::Scheme::sips)) {
    return false;
  }
  const std::string domain(aor.host);
  const std::string user(aor.user);
  const core::Transport transport = network.server.transport;
  std::string contact = "sip:" + user + "@" + network.host + ":" + std::to_string(network.sip_port);
  if (transport == core::Transport::tcp) contact += ";transport=tcp";
  if (transport == core::Transport::tls) contact += ";transport=tls";
  config.self = {.aor = settings.user,
                 .display_name = settings.display_name,
                 .contact = contact,
                 .instance = uuid_of(core::system_seed()),
                 .version = std::string("IM-client/OMA1.0 parley/") + parleyd::version,
                 .flows = transport != core::Transport::udp,
                 .anonymous = settings.privacy,
                 .alias = settings.alias};
  config.agent = {.server = network.server, .user = user, .password = password, .transport = network.transport};
  config.msrp.host = network.host;
  config.msrp.port = network.msrp_port;
  config.msrp.relay = settings.relay;
  config.msrp.user = user;
  config.msrp.password = password;
  config.msrp.message_bytes_max = settings.message_bytes_max;
  config.msrp.chunk_bytes = settings.chunk_bytes;
  config.msrp.sessions_max = 2 * settings.sessions_max + 2;
  config.host = network.host;
  if (config.host.starts_with('[')) config.host = config.host.substr(1, config.host.size() - 2);
  config.registrar = "sip:" + domain;
  config.factory = settings.factory.empty() ? "sip:factory@" + domain : settings.factory;
  config.deferred_uris = settings.deferred_uris;
  if (config.deferred_uris.empty()) {  // DEC-1
    for (const char* name : {"Deferred", "Deferre", "rcse-standfw"}) {
      config.deferred_uris.push_back("sip:" + std::string(name) + "@" + domain);
    }
  }
  config.register_seconds = settings.expires;
  config.timer.interval_seconds = settings.session_expires;
  config.auto_accept = !settings.ask;
  config.tells_bytes = settings.json;
  config.answer_displayed = settings.display || settings.command == Settings::Command::chat ||
                            settings.command == Settings::Command::group_create;
  config.sessions_max = settings.sessions_max;
  config.file_bytes_max = settings.file_bytes_max;
  config.saved_bytes_max = settings.saved_bytes_max;
  return true;
}

int complain(const std::string& text, int status) {
  std::fprintf(stderr, "parley: %s\n", text.c_str());
  return status;
}

struct NoAnswers final : core::AdminSink {
  void reply(std::uint32_t, core::AdminReply) override {}
};

}  // namespace

int run(const Settings& settings, const std::string& password, std::shared_ptr<const ByteSource> body,
        std::optional<FileOffer> file) {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  ::signal(SIGPIPE, SIG_IGN);
  const int signal_fd = ::signalfd(-1, &signals, SFD_CLOEXEC);
  const int end_fd = ::eventfd(0, EFD_CLOEXEC);
  if (signal_fd < 0 || end_fd < 0) return complain("no descriptors", exit_usage);

  Network network = open_network(settings);
  if (!network.error.empty()) return complain(network.error, network.exit);
  ClientConfig config;
  if (!configure(settings, network, password, config)) {
    return complain("--user: '" + settings.user + "' is not sip:NAME@DOMAIN", exit_usage);
  }
  std::string error;
  auto tls = core::TlsContext::client(
      {.certificate_file = {}, .key_file = {}, .ca_file = settings.tls_ca, .tickets = {}}, error);
  if (tls == nullptr) return complain(error, exit_usage);

  core::Mailboxes mailboxes(1);
  core::Resolver resolver(mailboxes, {});
  core::Pool pool({.small_count = 128, .large_count = 8, .arena_count = 16, .heap_bytes_max = 256ULL << 20});
  const auto metrics = std::make_unique<core::Metrics>();
  DiskFiles files(settings.directory);
  // What the user asks for he wants to have; in JSON he has it.
  DiskFiles fetched(settings.directory.empty() && !settings.json ? "." : settings.directory);
  const bool lines = settings.command == Settings::Command::chat || settings.command == Settings::Command::group_create;
  const std::unique_ptr<Screen> screen = make_screen(lines, settings.json);
  std::unique_ptr<HttpXcap> xcap;
  if (!settings.xcap.empty()) {
    xcap = std::make_unique<HttpXcap>(
        HttpXcapConfig{
            .root = settings.xcap, .user = config.agent.user, .password = password, .tls_ca = settings.tls_ca},
        [&mailboxes](std::uint32_t ticket, std::uint16_t status) {
          core::AdminRequest said{.id = ticket, .kind = of_xcap, .argument = std::to_string(status)};
          mailboxes.post(0, {.kind = core::Post::Kind::admin, .admin = std::move(said)});
        });
  }
  Front front(pool, *metrics, mailboxes, std::move(config), files, fetched, xcap.get(),
              make_job(settings, std::move(body), std::move(file)), *screen);
  NoAnswers answers;
  core::LoopConfig loop_config;
  loop_config.kind = settings.loop;
  loop_config.listeners = network.listeners;
  loop_config.sockets = network.sockets;
  loop_config.client_tls = tls;
  loop_config.admin = &answers;
  loop_config.resolver = &resolver;
  loop_config.connections_max = 256;
  core::Loop loop(std::move(loop_config), pool, *metrics, front, mailboxes);

  Outside outside(mailboxes, *screen, signal_fd, end_fd, lines);
  std::thread watcher([&] { outside.run(); });
  mailboxes.post(0, {.kind = core::Post::Kind::reload});  // the loop makes a first step for this
  const std::string why = loop.run();
  ::eventfd_write(end_fd, 1);
  watcher.join();
  ::close(signal_fd);
  ::close(end_fd);
  if (!why.empty()) return complain(why, exit_usage);
  return front.status();
}

}  // namespace parley::client
