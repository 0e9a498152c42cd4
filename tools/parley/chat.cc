// tools/parley/chat.cc - see chat.h.
#include "tools/parley/chat.h"

#include <algorithm>
#include <charconv>
#include <map>

#include "tools/parley/plain_text.h"

namespace parley::client {

namespace {

std::vector<std::string> split(std::string_view text) {
  std::vector<std::string> words;
  while (!text.empty()) {
    const std::size_t blank = std::min(text.find(' '), text.size());
    if (blank != 0) words.emplace_back(text.substr(0, blank));
    text.remove_prefix(std::min(blank + 1, text.size()));
  }
  return words;
}

class ChatJob final : public Job {
 public:
  explicit ChatJob(const Settings& settings) : settings_(settings) {}

  void start(Client& client, core::Instant) override { client.enrol(); }

  void on_event(Client& client, const Event& event) override {
    if (settings_.json) {
      show(to_json(event));
    } else {
      show_plain(event);
    }
    if (event.name == "registered") open(client);
    if (event.name == "register_failed") {
      const int status = exit_of(event.number_of("status"));
      if (status != exit_unreachable) finish(status);
    }
    if (event.name == "invited") {
      if (current_ == 0 || client.session(current_) == nullptr) {
        current_ = static_cast<std::uint32_t>(event.number_of("session"));
      }
    }
    if (event.name == "entry") {
      listed_[std::string(event.get("id"))] = event.get("of") == to_string(Stored::history) ? Stored::history : Stored::deferred;
    }
    if (event.name == "roster" && event.number_of("session") == current_) {
      for (const Event::Field& field : event.fields) {
        if (field.key == "users") roster_ = field.items;
      }
    }
    if (event.name == "session" && event.get("state") == "open" && event.number_of("session") == current_) {
      for (const std::string& line : std::exchange(early_, {})) say(client, line);
      if (no_more_lines_) leave_when_sent(client);
    }
    if (event.name == "sent" || event.name == "delivery") {
      if (event.name == "sent" && waiting_ != 0) --waiting_;
      if (no_more_lines_) leave_when_sent(client);
    }
    if (event.name == "session" && event.get("state") == "ended" && event.number_of("session") == current_) {
      current_ = 0;
      if (opened_ && (no_more_lines_ || settings_.json)) {
        std::uint64_t status = 0;
        const std::string_view why = event.get("why");
        (void)std::from_chars(why.data(), why.data() + why.size(), status);
        finish(status == 0 ? exit_done : exit_of(status));
      }
    }
  }

  void on_line(Client& client, const std::optional<std::string>& line) override {
    if (!line) {
      no_more_lines_ = true;
      leave_when_sent(client);
      return;
    }
    std::string text = *line;
    if (!text.empty() && text.back() == '\\') {  // goes on in the next line
      text.pop_back();
      partial_ += text + "\n";
      return;
    }
    text.insert(0, std::exchange(partial_, {}));
    if (text.starts_with("/") && !text.starts_with("//")) {
      command(client, text.substr(1));
    } else if (!text.empty()) {
      say(client, text.starts_with("//") ? text.substr(1) : text);
    }
  }

  void on_stop(Client& client) override {
    client.stop();
    finish(exit_done);
  }

 private:
  void open(Client& client) {
    if (opened_ || settings_.to.empty()) return;
    opened_ = true;
    const bool list = settings_.command == Settings::Command::group_create && !settings_.joins_group;
    current_ = list ? client.open_session({}, settings_.to, settings_.subject, true)
                    : client.open_session(settings_.to.front(), {}, settings_.subject, settings_.joins_group);
    if (current_ == 0) finish(exit_refused);
  }

  void say(Client& client, const std::string& text) {
    const ImSession* const session = client.session(current_);
    if (session == nullptr || !session->media_up) {
      constexpr std::size_t early_max = 100;
      if (early_.size() < early_max) early_.push_back(text);
      return;
    }
    if (client.say(current_, text, true) == 0) {
      complain("too much waits to be sent");
    } else {
      ++waiting_;
    }
  }

  void leave_when_sent(Client& client) {
    if (waiting_ != 0 || !early_.empty()) return;
    if (client.session(current_) != nullptr) {
      client.leave(current_);
    } else if (opened_ || settings_.to.empty()) {
      finish(exit_done);
    }
  }

  void command(Client& client, const std::string& line) {
    std::vector<std::string> words = split(line);
    if (words.empty()) return;
    const std::string name = words.front();
    words.erase(words.begin());
    const auto number = [&]() -> std::uint32_t {
      std::uint32_t value = current_;
      if (!words.empty()) (void)std::from_chars(words[0].data(), words[0].data() + words[0].size(), value);
      return value;
    };
    if (name == "quit") {
      client.stop();
      finish(exit_done);
    } else if (name == "leave") {
      client.leave(current_);
    } else if (name == "who") {
      for (const std::string& user : roster_) show("  " + harmless(user, false));
    } else if (name == "add" && !words.empty()) {
      client.add_users(current_, words);
    } else if (name == "expel" && words.size() == 1) {
      client.expel(current_, words[0]);
    } else if (name == "accept") {
      current_ = number();
      client.accept(current_);
    } else if (name == "decline") {
      client.decline(number(), 603);
    } else if (name == "history" || name == "deferred") {
      listed_.clear();
      client.list_stored(name == "history" ? Stored::history : Stored::deferred);
    } else if ((name == "fetch" || name == "delete") && words.size() == 1) {
      const auto found = listed_.find(words[0]);
      if (found == listed_.end()) {
        complain("no such entry; /history and /deferred list them");
      } else if (name == "fetch") {
        client.fetch_stored(found->second, words[0]);
      } else if (!client.delete_stored(found->second, words[0])) {
        complain("to delete needs --xcap");
      }
    } else if (name == "session") {
      current_ = number();
    } else if (name == "msg" && words.size() >= 2) {
      const std::string text = line.substr(line.find(words[1], line.find(words[0]) + words[0].size()));
      (void)client.send({.to = {words[0]},
                         .content_type = "text/plain;charset=utf-8",
                         .body = std::make_shared<TextSource>(text),
                         .want_delivery = true});
    } else if (name == "help") {
      for (const ChatCommand& one : chat_commands()) {
        show("  /" + std::string(one.name) + " " + std::string(one.arguments) + "  " + std::string(one.help));
      }
    } else {
      complain("no such command: /" + name + "; see /help");
    }
  }

  void show_plain(const Event& event) {
    if (event.name == "sent") {
      if (event.number_of("status") < 300) return;  // the mark comes with its delivery
      show("* not sent (" + std::string(event.get("status")) + ")");
    } else if (event.name == "delivery") {
      show("  [" + std::string(event.get("status")) + "]");
    } else if (event.name != "composing") {
      show(plain_text(event));
    }
  }

  Settings settings_;
  std::uint32_t current_ = 0;
  bool opened_ = false;
  bool no_more_lines_ = false;
  std::size_t waiting_ = 0;
  std::string partial_;
  std::vector<std::string> early_;  // typed before the session was open
  std::vector<std::string> roster_;
  std::map<std::string, Stored, std::less<>> listed_;  // by id, since the last time
};

}  // namespace

std::unique_ptr<Job> make_chat(const Settings& settings) { return std::make_unique<ChatJob>(settings); }

const std::vector<ChatCommand>& chat_commands() {
  static const std::vector<ChatCommand> commands = {
      {"who", "", "who is in the session"},
      {"add", "URI ...", "invite others"},
      {"expel", "URI", "remove somebody"},
      {"msg", "URI TEXT", "one message outside the session"},
      {"accept", "[N]", "take an invitation"},
      {"decline", "[N]", "refuse it"},
      {"session", "N", "talk in another session"},
      {"deferred", "", "messages that wait for you"},
      {"history", "", "records of your conversations"},
      {"fetch", "ID", "show one of those"},
      {"delete", "ID", "delete one of those"},
      {"leave", "", "leave the session"},
      {"help", "", "this list"},
      {"quit", "", "leave everything"},
  };
  return commands;
}

}  // namespace parley::client
