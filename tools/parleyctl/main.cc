// tools/parleyctl/main.cc - operators' client of parleyd's admin interface.
//
//   parleyctl sessions                 live sessions as a table
//   parleyctl kick 0-17                end one
//   parleyctl rooms                    IM sessions as a table
//   parleyctl room 0-5.1               one of them, and who takes part
//   parleyctl kick-member 0-5.1 7.3    take somebody out of it
//   parleyctl close-room 0-5.1         end it
//   parleyctl trace MESSAGE-ID         what became of a message
//   parleyctl where MESSAGE-ID         where a message is: waiting, on its way, or which way it went
//   parleyctl system-message USER TEXT write to a user; prints its id
//             [--option yes=TEXT ...] [--answer-within 1h] [--language en]
//   parleyctl system-messages          what has become of those
//   parleyctl close-system-message ID  take one back
//   parleyctl deferred USER            messages that wait for a user
//   parleyctl deferred USER delete ID  delete one of them: it is not sent any more
//   parleyctl history USER             records of a user's conversations
//   parleyctl history USER delete ID   delete one of them; --all: all
//   parleyctl summary                  counts per shard
//   parleyctl log-level debug          see more (without a level: what it is)
//   parleyctl metrics | live | ready   what a monitoring system sees
//   parleyctl reload                   what SIGHUP does; says what was refused
//   parleyctl drain                    what SIGTERM does
//   parleyctl backup                   copies the store, into a directory in it, while parleyd runs
//
// Exit status: 0 done, 1 refused or not found, 2 bad usage, 3 parleyd does not answer.
#include <httplib.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tools/parleyctl/table.h"

namespace {

using Json = nlohmann::ordered_json;

struct Options {
  std::string admin = "127.0.0.1:9090";
  std::string token_file;
  bool json = false;
};

constexpr int backup_seconds = 3600;  // what a large store may take

enum Exit : int { done = 0, refused = 1, usage = 2, silent = 3 };

class Client {
 public:
  explicit Client(const Options& options) : options_(options), http_("http://" + options.admin) {
    http_.set_connection_timeout(5);
    http_.set_read_timeout(10);
    if (!options.token_file.empty()) {
      std::ifstream file(options.token_file);
      std::string token;
      std::getline(file, token);
      if (token.empty()) {
        std::fprintf(stderr, "parleyctl: --token-file: %s holds no token\n", options.token_file.c_str());
        std::exit(usage);
      }
      http_.set_bearer_token_auth(token);
    }
  }

  // The body of a good answer; ends the program otherwise.
  std::string get(const std::string& path) { return good(http_.Get(path)); }
  std::string post(const std::string& path) { return good(http_.Post(path, "", "text/plain")); }
  void wait_for(int seconds) { http_.set_read_timeout(seconds); }
  std::string post(const std::string& path, const Json& body) {
    return good(http_.Post(path, body.dump(-1, ' ', false, Json::error_handler_t::replace), "application/json"));
  }
  std::string put(const std::string& path, const std::string& body) {
    return good(http_.Put(path, body, "text/plain"));
  }

 private:
  std::string good(const httplib::Result& result) {
    if (!result) {
      std::fprintf(stderr, "parleyctl: %s: %s\n", options_.admin.c_str(), httplib::to_string(result.error()).c_str());
      std::exit(silent);
    }
    if (result->status / 100 == 2) return result->body;
    const Json body = Json::parse(result->body, nullptr, false);
    const std::string why = body.is_object() ? body.value("error", result->body) : result->body;
    std::fprintf(stderr, "parleyctl: %d %s\n", result->status, why.c_str());
    std::exit(refused);
  }

  const Options& options_;
  httplib::Client http_;
};

void print(const std::string& text) { std::fwrite(text.data(), 1, text.size(), stdout); }

void warn_of_silence(const Json& answer) {
  for (const Json& shard : answer.value("silent_shards", Json::array())) {
    std::fprintf(stderr, "parleyctl: shard %s did not answer\n", shard.dump().c_str());
  }
}

void show(const Options& options, const std::string& body, const char* list) {
  const Json answer = Json::parse(body, nullptr, false);
  if (options.json || !answer.is_object() || !answer.contains(list)) return print(body);
  warn_of_silence(answer);
  if (answer[list].empty()) {
    std::printf("no %s\n", list);
  } else {
    print(parley::parleyctl::table(answer[list]));
  }
  if (const auto left = answer.find("left_out"); left != answer.end() && left->is_number_unsigned() && *left != 0U) {
    std::printf("and %s older\n", left->dump().c_str());
  }
}

// The room as lines, its members as a table.
void show_room(const Options& options, const std::string& body) {
  const Json answer = Json::parse(body, nullptr, false);
  if (options.json || !answer.is_object() || !answer.contains("room") || !answer.contains("members")) return print(body);
  print(parley::parleyctl::table(Json::array({answer["room"]})));
  std::printf("\n");
  show(options, body, "members");
}

// "udp:192.0.2.1:5060 200", "sip:bob@example.org waiting": the objects of a list, for one cell.
std::string in_short(const Json& list) {
  std::string text;
  for (const Json& each : list) {
    const std::string state = each.contains("result") ? each.value("result", "") : each.value("state", "");
    text += (text.empty() ? "" : ", ") + each.value("to", "") + " " + state;
  }
  return text.empty() ? "-" : text;
}

// A table for each part of the answer that is not empty.
void show_where(const Options& options, const std::string& body) {
  static constexpr struct {
    const char* name;
    const char* title;
  } parts[] = {{"waiting", "waits for its user"},
               {"sending", "on its way to several"},
               {"passed", "went through here"},
               {"rooms", "went through IM sessions"}};
  Json answer = Json::parse(body, nullptr, false);
  if (options.json || !answer.is_object()) return print(body);
  warn_of_silence(answer);
  for (const Json& note : answer.value("notes", Json::array())) {
    std::fprintf(stderr, "shard %s: %s\n", note.value("shard", Json()).dump().c_str(), note.value("text", "").c_str());
  }
  bool first = true;
  for (const auto& part : parts) {
    if (!answer.contains(part.name) || answer[part.name].empty()) continue;
    std::printf("%s%s\n", first ? "" : "\n", part.title);
    first = false;
    for (Json& line : answer[part.name]) {
      line.erase("at_ms");
      for (const char* const list : {"hops", "recipients"}) {
        if (line.contains(list)) line[list] = in_short(line[list]);
      }
      for (const char* const id : {"message_id", "call_id", "request_id"}) {
        if (line.contains(id) && line[id] == answer["message_id"]) line.erase(id);  // that is known
      }
    }
    print(parley::parleyctl::table(answer[part.name]));
  }
}

// For a query: all but letters and digits as %XX.
std::string escaped(const std::string& text) {
  static constexpr char hex[] = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')) {
      out += c;
    } else {
      out += '%';
      out += hex[byte >> 4];
      out += hex[byte & 15];
    }
  }
  return out;
}

struct SystemMessage {
  std::string user, text, language, within;
  std::vector<std::string> options;
};

void send_system_message(const Options& options, Client& client, const SystemMessage& message) {
  Json body = {{"user", message.user}, {"text", message.text}, {"options", Json::array()}};
  if (!message.language.empty()) body["language"] = message.language;
  if (!message.within.empty()) body["answer_within"] = message.within;
  for (const std::string& option : message.options) {
    const std::size_t equals = option.find('=');
    body["options"].push_back({{"id", option.substr(0, equals)}, {"text", option.substr(equals + 1)}});
  }
  const std::string answer = client.post("/api/v1/system-messages", body);
  const Json id = Json::parse(answer, nullptr, false);
  print(options.json || !id.is_object() ? answer : id.value("id", "") + "\n");
}

bool is_made_of(const std::string& text, const char* characters) {
  return text.find_first_not_of(characters) == std::string::npos;
}

int complain(const char* text) {
  std::fprintf(stderr, "parleyctl: %s\n", text);
  return usage;
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  std::string id;
  std::string room_id;
  std::string member;
  std::string message_id;
  std::string level;
  std::string system_id;
  std::string deferred_user;
  std::string deferred_id;
  std::string history_user;
  std::string history_id;
  bool all_history = false;
  SystemMessage message;
  unsigned limit = 0;

  CLI::App app("parleyctl - asks and tells a running parleyd");
  app.add_option("--admin", options.admin, "HOST:PORT of parleyd's --admin")->capture_default_str();
  app.add_option("--token-file", options.token_file, "the file given to parleyd as --admin-token-file")
      ->type_name("FILE");
  app.add_flag("--json", options.json, "answers as they come");
  app.require_subcommand(1);
  app.fallthrough();
  auto* sessions = app.add_subcommand("sessions", "live sessions");
  sessions->add_option("--limit", limit, "at most this many per shard");
  auto* kick = app.add_subcommand("kick", "end one session");
  kick->add_option("ID", id, "as `sessions` shows it")->required();
  auto* rooms = app.add_subcommand("rooms", "IM sessions");
  rooms->add_option("--limit", limit, "at most this many per shard");
  auto* room = app.add_subcommand("room", "one IM session, and who takes part");
  room->add_option("ROOM", room_id, "as `rooms` shows it")->required();
  room->add_option("--limit", limit, "at most this many members");
  auto* kick_member = app.add_subcommand("kick-member", "take somebody out of an IM session");
  kick_member->add_option("ROOM", room_id, "as `rooms` shows it")->required();
  kick_member->add_option("MEMBER", member, "as `room` shows it")->required();
  auto* close_room = app.add_subcommand("close-room", "end an IM session");
  close_room->add_option("ROOM", room_id, "as `rooms` shows it")->required();
  auto* trace = app.add_subcommand("trace", "what became of a message of an IM session");
  trace->add_option("MESSAGE-ID", message_id, "as its sender wrote it, or as its receivers got it")->required();
  auto* where = app.add_subcommand("where", "where a message is: waiting, on its way to several, or which way it went");
  where->add_option("MESSAGE-ID", message_id, "imdn.Message-ID, Message-ID of MSRP, or Call-ID of a MESSAGE")->required();
  auto* system_message = app.add_subcommand("system-message", "write to a user as the system; prints the message's id");
  system_message->add_option("USER", message.user, "alice, or his whole address")->required();
  system_message->add_option("TEXT", message.text, "what he is to read")->required();
  system_message->add_option("--option", message.options, "an answer that he may choose: ID=TEXT; as often as there are some")
      ->allow_extra_args(false);
  system_message->add_option("--answer-within", message.within,
                             "demand an answer: who has given none when this time is over can send nothing until he does");
  system_message->add_option("--language", message.language, "of the text: en, de-AT");
  auto* system_messages = app.add_subcommand("system-messages", "what has become of system messages");
  system_messages->add_option("--limit", limit, "at most this many per shard");
  auto* close_system = app.add_subcommand("close-system-message", "take one back: its user owes no answer any more");
  close_system->add_option("ID", system_id, "as `system-message` has printed it")->required();
  auto* deferred = app.add_subcommand("deferred", "messages that wait for a user");
  deferred->add_option("USER", deferred_user, "alice, or his whole address")->required();
  deferred->require_subcommand(0, 1);
  auto* delete_deferred = deferred->add_subcommand("delete", "delete one: it is not sent any more, and its sender hears nothing");
  delete_deferred->add_option("ID", deferred_id, "as the list shows it")->required();
  auto* history = app.add_subcommand("history", "records of a user's conversations");
  history->add_option("USER", history_user, "alice, or his whole address")->required();
  history->require_subcommand(0, 1);
  auto* delete_history = history->add_subcommand("delete", "delete one of them, or all");
  delete_history->add_option("ID", history_id, "as the list shows it");
  delete_history->add_flag("--all", all_history, "all that he has");
  auto* summary = app.add_subcommand("summary", "counts per shard");
  auto* metrics = app.add_subcommand("metrics", "Prometheus text");
  auto* live = app.add_subcommand("live", "does every shard answer?");
  auto* ready = app.add_subcommand("ready", "are new sessions taken?");
  auto* log_level = app.add_subcommand("log-level", "show or set the least level that is logged");
  log_level->add_option("LEVEL", level, "debug, info, warn or error");
  auto* reload = app.add_subcommand("reload", "read configuration, certificates, users and documents again");
  auto* backup = app.add_subcommand("backup", "copy the store, into a directory in it, while parleyd runs");
  auto* drain = app.add_subcommand("drain", "take no new sessions, end when the last is over");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? done : usage;
  }

  if (!is_made_of(id, "0123456789-")) return complain("a session's id looks like 0-17");
  if (!is_made_of(room_id, "0123456789-.")) return complain("a room's id looks like 0-5.1");
  if (!is_made_of(member, "0123456789.")) return complain("a member's id looks like 7.3");
  if (!is_made_of(system_id, "0123456789")) return complain("a system message's id is a number");
  if (!is_made_of(deferred_id, "0123456789")) return complain("a deferred message's id is a number");
  if (!is_made_of(history_id, "0123456789")) return complain("a record's id is a number");
  if (delete_history->parsed() && history_id.empty() != all_history) return complain("delete needs an ID, or --all");
  for (const std::string& option : message.options) {
    if (option.find('=') == std::string::npos) return complain("--option looks like yes=\"I agree\"");
  }
  const std::string query = limit == 0 ? "" : "?limit=" + std::to_string(limit);
  const std::string of_room = "/api/v1/rooms/" + room_id;
  Client client(options);
  if (sessions->parsed()) {
    show(options, client.get("/api/v1/sessions" + query), "sessions");
  } else if (kick->parsed()) {
    print(client.post("/api/v1/sessions/" + id + "/kick"));
  } else if (rooms->parsed()) {
    show(options, client.get("/api/v1/rooms" + query), "rooms");
  } else if (room->parsed()) {
    show_room(options, client.get(of_room + query));
  } else if (kick_member->parsed()) {
    print(client.post(of_room + "/members/" + member + "/kick"));
  } else if (close_room->parsed()) {
    print(client.post(of_room + "/close"));
  } else if (trace->parsed()) {
    show(options, client.get("/api/v1/trace?message-id=" + escaped(message_id)), "messages");
  } else if (where->parsed()) {
    show_where(options, client.get("/api/v1/where?message-id=" + escaped(message_id)));
  } else if (system_message->parsed()) {
    send_system_message(options, client, message);
  } else if (system_messages->parsed()) {
    show(options, client.get("/api/v1/system-messages" + query), "messages");
  } else if (close_system->parsed()) {
    print(client.post("/api/v1/system-messages/" + system_id + "/close"));
  } else if (delete_deferred->parsed()) {
    print(client.post("/api/v1/deferred/" + deferred_id + "/delete?user=" + escaped(deferred_user)));
  } else if (deferred->parsed()) {
    show(options, client.get("/api/v1/deferred?user=" + escaped(deferred_user)), "messages");
  } else if (delete_history->parsed()) {
    const std::string which = all_history ? "all" : history_id;
    print(client.post("/api/v1/history/" + which + "/delete?user=" + escaped(history_user)));
  } else if (history->parsed()) {
    show(options, client.get("/api/v1/history?user=" + escaped(history_user)), "records");
  } else if (summary->parsed()) {
    show(options, client.get("/api/v1/summary"), "shards");
  } else if (metrics->parsed()) {
    print(client.get("/metrics"));
  } else if (live->parsed()) {
    print(client.get("/livez"));
  } else if (ready->parsed()) {
    print(client.get("/readyz"));
  } else if (log_level->parsed()) {
    print(level.empty() ? client.get("/api/v1/log-level") : client.put("/api/v1/log-level", level));
  } else if (reload->parsed()) {
    print(client.post("/api/v1/reload"));
  } else if (backup->parsed()) {
    client.wait_for(backup_seconds);
    print(client.post("/api/v1/backup"));
  } else if (drain->parsed()) {
    print(client.post("/api/v1/drain"));
  }
  return done;
}
