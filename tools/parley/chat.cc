// tools/parley/chat.cc - see chat.h.
#include "tools/parley/chat.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <span>

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

std::string written(const ChatCommand& command) {
  return "/" + std::string(command.name) + (command.arguments.empty() ? "" : " ") + std::string(command.arguments);
}

class ChatJob final : public Job {
 public:
  explicit ChatJob(const Settings& settings) : settings_(settings) {}

  void start(Client& client, core::Instant) override { client.enrol(); }

  void on_event(Client& client, const Event& event) override {
    bool news = true;  // a roster is told again when nobody has come or gone
    if (event.name == "roster") {
      std::vector<std::string>& users = rosters_[event.number_of("session")];
      for (const Event::Field& field : event.fields) {
        if (field.key == "users") news = std::exchange(users, field.items) != field.items;
      }
    }
    if (settings_.json) {
      show(to_json(event));
    } else if (news) {
      show_plain(event);
    }
    if (event.name == "registered") {
      away_ = false;
      open(client);
    }
    if (event.name == "register_failed") {
      const int status = exit_of(event.number_of("status"));
      away_ = status == exit_unreachable;
      if (!away_) finish(status);
      if (no_more_lines_) leave_when_sent(client);
    }
    if (event.name == "invited" && (event.get("kind") == "chat" || event.get("kind") == "group")) {
      // What is typed before the first session is for whom the user has named.
      const bool awaits = !opened_ && !settings_.to.empty();
      if (!awaits && (current_ == 0 || client.session(current_) == nullptr)) {
        talk_in(static_cast<std::uint32_t>(event.number_of("session")));
      }
    }
    if (event.name == "entry") {
      const bool record = event.get("of") == to_string(Stored::history);
      listed_[std::string(event.get("id"))] = record ? Stored::history : Stored::deferred;
    }
    if (event.name == "session" && event.get("state") == "open" && event.number_of("session") == current_) {
      for (const std::string& line : std::exchange(early_, {})) say(client, line);
      if (no_more_lines_) leave_when_sent(client);
    }
    if (event.name == "sent" || event.name == "delivery") {
      if (event.name == "sent" && waiting_ != 0) --waiting_;
      if (event.name == "sent" && event.number_of("status") >= 300 && outcome_ == exit_done) {
        outcome_ = exit_of(event.number_of("status"));
      }
      if (no_more_lines_) leave_when_sent(client);
    }
    if (event.name == "session" && event.get("state") == "ended") rosters_.erase(event.number_of("session"));
    if (event.name == "session" && event.get("state") == "ended" && event.number_of("session") == current_) {
      talk_in(0);
      if (opened_ && (no_more_lines_ || settings_.json)) {
        std::uint64_t status = 0;
        const std::string_view why = event.get("why");
        (void)std::from_chars(why.data(), why.data() + why.size(), status);
        if (status != 0) finish(exit_of(status));
        no_more_lines_ = true;  // a program is not asked whom to write to next
      }
      if (no_more_lines_) leave_when_sent(client);
    }
  }

  void on_line(Client& client, const std::optional<std::string>& line) override {
    if (!line) {
      if (!partial_.empty()) {
        partial_.pop_back();
        take_text(client, std::exchange(partial_, {}));
      }
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
    take_text(client, text);
  }

  void on_stop(Client& client) override { stop(client); }

 private:
  void open(Client& client) {
    if (opened_ || settings_.to.empty()) return;
    opened_ = true;
    if (current_ != 0) talk_in(0);  // without a session the lines that wait are for this one
    const bool list = settings_.command == Settings::Command::group_create && !settings_.joins_group;
    current_ = list ? client.open_session({}, settings_.to, settings_.subject, true)
                    : client.open_session(settings_.to.front(), {}, settings_.subject, settings_.joins_group);
    if (current_ == 0) finish(exit_refused);
  }

  // Lines that wait are for the session that they were typed in, and for nobody in the next.
  void talk_in(std::uint32_t number) {
    if (number == current_) return;
    current_ = number;
    forget_early();
  }

  void take_text(Client& client, const std::string& text) {
    if (text.starts_with("/") && !text.starts_with("//")) {
      command(client, text.substr(1));
    } else if (!text.empty()) {
      say(client, text.starts_with("//") ? text.substr(1) : text);
    }
  }

  void forget_early() {
    if (early_.empty()) return;
    not_sent(std::to_string(early_.size()) + (early_.size() == 1 ? " line" : " lines") + " not sent");
    early_.clear();
  }

  void say(Client& client, const std::string& text) {
    const ImSession* const session = client.session(current_);
    const bool comes = session != nullptr || (!opened_ && !settings_.to.empty());
    if (!comes) {
      not_sent("not sent: there is no session; /msg URI TEXT sends without one");
    } else if (session == nullptr || !session->media_up) {
      constexpr std::size_t early_max = 100;
      if (early_.size() < early_max) {
        early_.push_back(text);
      } else {
        not_sent("not sent: too much waits for the session");
      }
    } else if (client.say(current_, text, true) == 0) {
      not_sent("not sent: too much waits");
    } else {
      ++waiting_;
    }
  }

  // What is under way may still arrive; nobody waits for it.
  void stop(Client& client) {
    forget_early();
    client.stop();
    finish(outcome_);
  }

  void not_sent(const std::string& why) {
    complain(why);
    if (outcome_ == exit_done) outcome_ = exit_refused;
  }

  void leave_when_sent(Client& client) {
    if (waiting_ != 0) return;
    if (client.session(current_) != nullptr) {
      if (early_.empty()) client.leave(current_);
    } else if (away_ && !opened_) {  // sessions and messages have their own ways and times
      finish(exit_unreachable);
    } else if (early_.empty() && (opened_ || settings_.to.empty())) {
      finish(outcome_);
    }
  }

  void command(Client& client, const std::string& line) {
    std::vector<std::string> words = split(line);
    if (words.empty()) return;
    const std::string name = words.front();
    words.erase(words.begin());
    const auto known = std::find_if(chat_commands().begin(), chat_commands().end(),
                                    [&](const ChatCommand& one) { return one.name == name; });
    if (known == chat_commands().end()) return complain("no such command: /" + name + "; see /help");
    const auto wrong = [&](const std::string& why) {
      if (name == "msg") {
        not_sent(why);
      } else {
        complain(why);
      }
    };
    if (words.size() < known->words_min || words.size() > known->words_max)
      return wrong("this is " + written(*known));
    // The session that is named, or the one that is talked in.
    std::uint32_t number = current_;
    if (known->names_session && !words.empty()) {
      number = 0;
      (void)std::from_chars(words[0].data(), words[0].data() + words[0].size(), number);
    }
    if (known->needs_session && client.session(number) == nullptr) return complain("there is no such session");
    for (const std::string& word : std::span(words).first(std::min(known->uris, words.size()))) {
      if (!can_be_called(word)) return wrong("'" + harmless(word, false) + "' is no URI, like sip:NAME@DOMAIN");
    }
    if (name == "quit") {
      stop(client);
    } else if (name == "leave") {
      client.leave(number);
    } else if (name == "who") {
      std::vector<std::string> users = {client.session(number)->peer};
      if (const auto found = rosters_.find(number); found != rosters_.end()) users = found->second;
      for (const std::string& user : users) show("  " + harmless(user, false));
    } else if (name == "add") {
      client.add_users(number, words);
    } else if (name == "expel") {
      client.expel(number, words[0]);
    } else if (name == "call") {
      const std::uint32_t called = client.open_session(words[0], {}, {}, false);
      if (called == 0) return complain("there are too many sessions");
      talk_in(called);
    } else if (name == "accept") {
      if (client.session(number)->kind == SessionKind::chat) talk_in(number);
      client.accept(number);
    } else if (name == "decline") {
      client.decline(number, 603);
    } else if (name == "history" || name == "deferred") {
      listed_.clear();
      client.list_stored(name == "history" ? Stored::history : Stored::deferred);
    } else if (name == "fetch" || name == "delete") {
      const auto found = listed_.find(words[0]);
      if (found == listed_.end()) {
        complain("no such entry; /history and /deferred list them");
      } else if (name == "fetch") {
        client.fetch_stored(found->second, words[0]);
      } else if (!client.delete_stored(found->second, words[0])) {
        complain("to delete needs --xcap");
      }
    } else if (name == "session") {
      talk_in(number);
    } else if (name == "msg") {
      const std::string text = line.substr(line.find(words[1], line.find(words[0]) + words[0].size()));
      (void)client.send({.to = {words[0]},
                         .content_type = "text/plain;charset=utf-8",
                         .body = std::make_shared<TextSource>(text),
                         .want_delivery = true});
      ++waiting_;
    } else if (name == "help") {
      for (const ChatCommand& one : chat_commands()) {
        std::string left = written(one);
        left.resize(std::max<std::size_t>(left.size(), 16), ' ');
        show("  " + left + "  " + std::string(one.help));
      }
    }
  }

  void show_plain(const Event& event) {
    if (event.name == "sent") {
      if (event.number_of("status") >= 300) show("* not sent: " + status_text(event.number_of("status")));
    } else if (event.name == "delivery") {
      show_mark(event);
    } else if (event.name != "composing") {
      show(plain_text(event));
    }
  }

  // Once that it has arrived and once that it was shown, whoever of several says so first, and by IMDN or MSRP.
  void show_mark(const Event& event) {
    const std::string_view what = event.get("status");
    const std::uint64_t ticket = event.number_of("ticket");
    if (what == "delivered" || what == "displayed") {
      const std::uint64_t rank = what == "delivered" ? 1 : 2;
      if (ticket < marked_ || (ticket == marked_ && rank <= mark_)) return;
      marked_ = ticket;
      mark_ = rank;
    }
    const std::string_view who = event.get("recipient");
    const bool failed = what == "failed" || what == "forbidden" || what == "error" || what == "timeout";
    show("  [" + std::string(failed ? "not delivered: " : "") + std::string(what) +
         (failed && !who.empty() ? ", " + harmless(who, false) : "") + "]");
  }

  Settings settings_;
  std::uint32_t current_ = 0;
  bool opened_ = false;
  bool away_ = false;  // the server, which is tried again
  bool no_more_lines_ = false;
  int outcome_ = exit_done;   // of the first message that was not sent
  std::size_t waiting_ = 0;   // messages without `sent`
  std::uint64_t marked_ = 0;  // the last ticket of which a mark was shown,
  std::uint64_t mark_ = 0;    // and which: 1 delivered, 2 displayed
  std::string partial_;
  std::vector<std::string> early_;  // typed before the session that is talked in was open
  std::map<std::uint64_t, std::vector<std::string>> rosters_;  // by session
  std::map<std::string, Stored, std::less<>> listed_;  // by id, since the last time
};

}  // namespace

std::unique_ptr<Job> make_chat(const Settings& settings) { return std::make_unique<ChatJob>(settings); }

const std::vector<ChatCommand>& chat_commands() {
  static const std::vector<ChatCommand> commands = {
      {.name = "who", .help = "who is in the session", .needs_session = true},
      {.name = "add",
       .arguments = "URI ...",
       .help = "invite others",
       .words_min = 1,
       .words_max = 100,
       .uris = 100,
       .needs_session = true},
      {.name = "expel",
       .arguments = "URI",
       .help = "remove somebody",
       .words_min = 1,
       .words_max = 1,
       .uris = 1,
       .needs_session = true},
      {.name = "msg",
       .arguments = "URI TEXT",
       .help = "one message outside the session",
       .words_min = 2,
       .words_max = words_any,
       .uris = 1},
      {.name = "call", .arguments = "URI", .help = "talk to somebody else", .words_min = 1, .words_max = 1, .uris = 1},
      {.name = "accept",
       .arguments = "[N]",
       .help = "take an invitation",
       .words_max = 1,
       .needs_session = true,
       .names_session = true},
      {.name = "decline",
       .arguments = "[N]",
       .help = "refuse it",
       .words_max = 1,
       .needs_session = true,
       .names_session = true},
      {.name = "session",
       .arguments = "N",
       .help = "talk in another session",
       .words_min = 1,
       .words_max = 1,
       .needs_session = true,
       .names_session = true},
      {.name = "deferred", .help = "messages that wait for you"},
      {.name = "history", .help = "records of your conversations"},
      {.name = "fetch", .arguments = "ID", .help = "show one of those", .words_min = 1, .words_max = 1},
      {.name = "delete", .arguments = "ID", .help = "delete one of those", .words_min = 1, .words_max = 1},
      {.name = "leave", .help = "leave the session", .needs_session = true},
      {.name = "help", .help = "this list"},
      {.name = "quit", .help = "leave everything"},
  };
  return commands;
}

}  // namespace parley::client
