// tools/parley/job.cc - register, send, recv, settings. See job.h; chat.cc and stored_job.cc have the others.
#include "tools/parley/job.h"

#include <algorithm>

#include "policy/poc_settings.h"
#include "tools/parley/chat.h"
#include "tools/parley/plain_text.h"
#include "tools/parley/stored_job.h"

namespace parley::client {

int exit_of(std::uint64_t status) {
  if (status >= 200 && status < 300) return exit_done;
  if (status == 401 || status == 407) return exit_login;
  if (status == 408 || status == 503 || status == 504 || status == 480)
    return status == 480 ? exit_refused : exit_unreachable;
  return exit_refused;
}

namespace {

class EnrolJob final : public Job {
 public:
  explicit EnrolJob(const Settings& settings) : settings_(settings) {}
  void start(Client& client, core::Instant now) override {
    client.enrol();
    if (settings_.once) deadline_ = now + settings_.timeout;
  }
  void on_event(Client&, const Event& event) override {
    show(settings_.json ? to_json(event) : plain_text(event));
    if (event.name == "registered" && settings_.once) finish(exit_done);
    if (event.name == "register_failed") {
      const int status = exit_of(event.number_of("status"));
      if (settings_.once || status != exit_unreachable) finish(status);
    }
  }
  void on_time(Client&, core::Instant now) override {
    if (now >= deadline_) finish(exit_unreachable);
  }
  void on_stop(Client& client) override {
    client.stop();
    finish(exit_done);
  }
  [[nodiscard]] core::Instant deadline() const override { return deadline_; }

 private:
  Settings settings_;
  core::Instant deadline_ = core::never;
};

// One message or file: sent, and with --report delivered.
class SendJob final : public Job {
 public:
  SendJob(const Settings& settings, std::shared_ptr<const ByteSource> body, std::optional<FileOffer> file)
      : settings_(settings), body_(std::move(body)), file_(std::move(file)) {}

  void start(Client& client, core::Instant now) override {
    deadline_ = now + settings_.timeout;
    // A receipt comes to where one is registered.
    if (settings_.report && !file_) {
      client.enrol();
    } else {
      send(client);
    }
  }
  void on_event(Client& client, const Event& event) override {
    if (settings_.json) {
      show(to_json(event));
    } else if (event.name == "message" || event.name == "part") {
      show(plain_text(event));  // who is registered may be written to
    }
    if (event.name == "registered" && ticket_ == 0) send(client);
    if (event.name == "register_failed" && ticket_ == 0) fail("cannot register", event.number_of("status"));
    if (ticket_ == 0 || event.number_of("ticket") != ticket_) return;
    if (event.name == "sent") {
      const std::uint64_t status = event.number_of("status");
      if (status >= 300) return fail("not sent", status);
      sent_ = true;
      // A file's own report comes by MSRP (R4975-10) and is always waited for.
      if (!settings_.report && !file_) finish(exit_done);
    }
    if (event.name == "delivery") {
      const std::string_view what = event.get("status");
      if (settings_.display && what == "delivered" && event.get("by") == "imdn") return;
      if (settings_.report && !file_ && event.get("by") == "report" && what == "delivered") {
        // OMA-DR-1: of a large message this says that it has arrived; of its reader nothing.
        if (settings_.display) return;
      }
      if (what == "delivered" || what == "displayed") {
        if (!settings_.json) show(what);
        finish(exit_done);
      } else {
        complain("not delivered: " + std::string(what));
        finish(exit_undelivered);
      }
    }
  }
  void on_time(Client&, core::Instant now) override {
    if (now < deadline_) return;
    complain(sent_ ? "no receipt in time" : "no answer in time");
    finish(sent_ ? exit_undelivered : exit_unreachable);
  }
  void on_stop(Client& client) override {
    client.stop();
    finish(sent_ ? exit_undelivered : exit_unreachable);
  }
  [[nodiscard]] core::Instant deadline() const override { return deadline_; }

 private:
  void send(Client& client) {
    if (file_) {
      ticket_ = client.send_file(settings_.to.front(), *file_, body_);
    } else {
      ticket_ = client.send(
          {.to = settings_.to,
           .content_type = settings_.content_type.empty() ? "text/plain;charset=utf-8" : settings_.content_type,
           .body = body_,
           .want_delivery = settings_.report,
           .want_display = settings_.display});
    }
    if (ticket_ == 0) fail("cannot send", 503);
  }
  void fail(std::string_view what, std::uint64_t status) {
    complain(std::string(what) + ": " + status_text(status));
    finish(exit_of(status));
  }

  Settings settings_;
  std::shared_ptr<const ByteSource> body_;
  std::optional<FileOffer> file_;
  std::uint32_t ticket_ = 0;
  bool sent_ = false;
  core::Instant deadline_ = core::never;
};

class ReceiveJob final : public Job {
 public:
  explicit ReceiveJob(const Settings& settings) : settings_(settings) {}
  void start(Client& client, core::Instant) override { client.enrol(); }
  void on_event(Client&, const Event& event) override {
    show(settings_.json ? to_json(event) : plain_text(event));
    if (event.name == "register_failed") {
      const int status = exit_of(event.number_of("status"));
      if (status != exit_unreachable) finish(status);
    }
    const bool counts = (event.name == "message" && event.get("good") != "false") || event.name == "file";
    if (counts && settings_.count != 0 && ++seen_ == settings_.count) finish(exit_done);
  }
  void on_stop(Client& client) override {
    client.stop();
    finish(exit_done);
  }

 private:
  Settings settings_;
  std::uint64_t seen_ = 0;
};

class SettingsJob final : public Job {
 public:
  explicit SettingsJob(const Settings& settings) : settings_(settings) {}
  void start(Client& client, core::Instant now) override {
    deadline_ = now + settings_.timeout;
    if (settings_.command == Settings::Command::settings_get) {
      client.fetch();
      return;
    }
    policy::PocEntity entity;
    entity.id = "parley";
    struct Name {
      std::string_view name;
      std::optional<bool> policy::PocEntity::*member;
    };
    // SEED3-5.2.4-8 a to g; what is not named is published as what holds when nothing is (OMA-SET-7).
    constexpr Name names[] = {{"session-barring", &policy::PocEntity::session_barred},
                              {"pager-barring", &policy::PocEntity::pager_large_barred},
                              {"invisible", &policy::PocEntity::invisible},
                              {"offline-delivery", &policy::PocEntity::offline_delivery},
                              {"history-session", &policy::PocEntity::history_session},
                              {"history-pager", &policy::PocEntity::history_pager_large},
                              {"file-barring", &policy::PocEntity::file_transfer_barred}};
    for (const Name& one : names) entity.*one.member = one.name == "offline-delivery";
    for (const std::string& pair : settings_.pairs) {
      const std::size_t equal = pair.find('=');
      const std::string key = pair.substr(0, equal);
      const std::string value = equal == std::string::npos ? "" : pair.substr(equal + 1);
      const auto found = std::find_if(std::begin(names), std::end(names), [&](const Name& n) { return n.name == key; });
      const bool on = value == "on" || value == "true" || value == "1";
      if (found == std::end(names) || (!on && value != "off" && value != "false" && value != "0")) {
        complain("settings set: '" + pair + "' is no setting");
        finish(exit_usage);
        return;
      }
      entity.*found->member = on;
    }
    std::string document;
    policy::put_poc_settings({.entities = {entity}}, document);
    offline_ = entity.offline_delivery.value_or(true);
    client.publish(document, offline_);
  }
  void on_event(Client&, const Event& event) override {
    const bool deferred = event.name == "deferred" || event.name == "deferred_failed";
    if (event.name == "settings" || event.name == "published" || event.name == "settings_failed" || deferred) {
      show(settings_.json ? to_json(event) : plain_text(event));
      // SEED3-5.2.4-10: what waits is told, too; a server that keeps nothing does not spoil what was published.
      if (event.name == "published" && !offline_ && event.number_of("status") < 300) return;
      if (deferred) return finish(exit_done);
      finish(event.name == "settings" ? exit_done : exit_of(event.number_of("status")));
    }
  }
  void on_time(Client&, core::Instant now) override {
    if (now >= deadline_) finish(exit_unreachable);
  }
  [[nodiscard]] core::Instant deadline() const override { return deadline_; }

 private:
  Settings settings_;
  bool offline_ = true;
  core::Instant deadline_ = core::never;
};

}  // namespace

std::unique_ptr<Job> make_job(const Settings& settings, std::shared_ptr<const ByteSource> body,
                              std::optional<FileOffer> file) {
  switch (settings.command) {
    case Settings::Command::enrol: return std::make_unique<EnrolJob>(settings);
    case Settings::Command::send: return std::make_unique<SendJob>(settings, std::move(body), std::move(file));
    case Settings::Command::receive: return std::make_unique<ReceiveJob>(settings);
    case Settings::Command::settings_get:
    case Settings::Command::settings_set: return std::make_unique<SettingsJob>(settings);
    case Settings::Command::chat:
    case Settings::Command::group_create: return make_chat(settings);
    case Settings::Command::stored_list:
    case Settings::Command::stored_get:
    case Settings::Command::stored_delete: return make_stored_job(settings);
  }
  return nullptr;
}

}  // namespace parley::client
