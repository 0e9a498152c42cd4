// tools/parley/stored_job.cc - see stored_job.h.
#include "tools/parley/stored_job.h"

#include <charconv>

#include "tools/parley/plain_text.h"

namespace parley::client {

namespace {

class StoredJob final : public Job {
 public:
  explicit StoredJob(const Settings& settings) : settings_(settings) {}

  void start(Client& client, core::Instant now) override {
    deadline_ = now + settings_.timeout;
    switch (settings_.command) {
      case Settings::Command::stored_get: client.fetch_stored(settings_.stored, settings_.id); break;
      case Settings::Command::stored_delete:
        if (!client.delete_stored(settings_.stored, settings_.id)) finish(exit_usage);
        break;
      default: client.list_stored(settings_.stored);
    }
  }
  void on_event(Client&, const Event& event) override {
    heard_ = true;
    if (settings_.json) {
      show(to_json(event));
    } else if (event.name == "entry" || event.name == "message" || event.name == "part") {
      show(plain_text(event));
    }
    if (event.name == "fetch") session_ = event.number_of("session");
    if (event.name == "list") {
      const std::uint64_t left_out = event.number_of("left_out");
      if (left_out != 0) complain(std::to_string(left_out) + " older ones are not in the list");
      finish(exit_done);
    } else if (event.name == "list_failed" || event.name == "fetch_failed") {
      fail("refused", event.number_of("status"));
    } else if (event.name == "deleted") {
      const std::uint64_t status = event.number_of("status");
      if (status == 0) {
        complain("the XCAP server does not answer");
        finish(exit_unreachable);
      } else if (status >= 200 && status < 300) {
        finish(exit_done);
      } else {
        fail("not deleted", status);
      }
    } else if (session_ == 0 || event.number_of("session") != session_) {
      return;  // others may call meanwhile
    } else if (event.name == "broken") {
      complain("a message was cut off, or is longer than --message-bytes-max");
      broken_ = exit_refused;
    } else if ((event.name == "message" || event.name == "part") && event.get("good") == "false") {
      complain("a message is not saved: " + harmless(event.get("why"), false));
      broken_ = exit_usage;
    } else if (event.name == "session" && event.get("state") == "ended") {
      std::uint64_t status = 0;
      const std::string_view why = event.get("why");
      (void)std::from_chars(why.data(), why.data() + why.size(), status);
      if (broken_ != exit_done) return finish(broken_);
      if (status != 0) return fail("not fetched", status);
      finish(exit_done);
    }
  }
  // A long record takes its time; it is over when nothing more comes.
  void on_time(Client&, core::Instant now) override {
    if (std::exchange(heard_, false)) deadline_ = now + settings_.timeout;
    if (now < deadline_) return;
    complain("no answer in time");
    finish(exit_unreachable);
  }
  void on_stop(Client& client) override {
    client.stop();
    finish(exit_refused);
  }
  [[nodiscard]] core::Instant deadline() const override { return deadline_; }

 private:
  void fail(const std::string& what, std::uint64_t status) {
    complain(what + ": " + status_text(status));
    finish(exit_of(status));
  }

  Settings settings_;
  core::Instant deadline_ = core::never;
  bool heard_ = false;
  std::uint64_t session_ = 0;  // of the fetch; 0: there is none yet
  int broken_ = exit_done;
};

}  // namespace

std::unique_ptr<Job> make_stored_job(const Settings& settings) { return std::make_unique<StoredJob>(settings); }

}  // namespace parley::client
