// tools/parley/options.cc - see options.h.
#include "tools/parley/options.h"

#include <CLI/CLI.hpp>
#include <chrono>
#include <map>

#include "tools/parley/http_xcap.h"
#include "tools/parley/requests.h"
#include "tools/parleyd/version.h"

namespace parley::client {

namespace {

constexpr const char* statuses =
    "Exit status:\n"
    "  0  done: sent, and with --report delivered\n"
    "  1  refused by the other side or by a server on the way\n"
    "  2  a bad flag, or a file that cannot be read or written\n"
    "  3  no server, or no answer in time\n"
    "  4  taken, but the receipt did not come in time or says that it was not delivered\n"
    "  5  the password is refused\n"
    "chat ends with that of the session's refusal, or of the first message that was not sent.\n";

}  // namespace

ParsedOptions parse_options(int argc, const char* const* argv) {
  ParsedOptions parsed;
  Settings& s = parsed.settings;
  CLI::App app{"IM client for SIP and MSRP (OMA SIMPLE IM)."};
  app.footer(statuses);
  app.set_version_flag("--version", std::string("parley ") + parleyd::version);
  app.set_config("--config", "", "flags from a file");
  app.require_subcommand(1);
  app.fallthrough();

  app.add_option("--user", s.user, "who you are: sip:NAME@DOMAIN")->required();
  app.add_option("--password-file", s.password_file, "its first line is the password");
  app.add_option("--server", s.server, "outbound proxy and registrar: udp|tcp|tls:HOST[:PORT]")->required();
  app.add_option("--relay", s.relay, "MSRP relay: msrps://HOST[:PORT];tcp");
  app.add_option("--display-name", s.display_name, "shown to others");
  app.add_option("--tls-ca", s.tls_ca, "trusted certificates, PEM (default: the system's)");
  app.add_option("--tls-name", s.tls_name, "name the server's certificate has to match (default: HOST)");
  app.add_option("--bind", s.bind, "address of ours (default: the one that leads to the server)");
  app.add_option("--msrp-port", s.msrp_port, "where peers connect for MSRP (default: a free port)");
  app.add_option("--conference-factory", s.factory, "URI that makes sessions of several (default: sip:factory@DOMAIN)");
  app.add_option("--deferred-uri", s.deferred_uris,
                 "deferred messaging functions that are always let in, repeatable "
                 "(default: sip:Deferred@, sip:Deferre@ and sip:rcse-standfw@DOMAIN)");
  app.add_option("--xcap", s.xcap, "XCAP root, to delete what the server keeps: http[s]://HOST[:PORT]/PATH");
  app.add_flag("--privacy", s.privacy, "stay anonymous towards others (Privacy: id)");
  app.add_option("--alias", s.alias, "name others see instead, with --privacy");
  app.add_option("--expires", s.expires, "seconds a registration is asked for")->capture_default_str();
  app.add_option("--session-expires", s.session_expires, "seconds after which a session without refresh is over")
      ->check(CLI::Range(90, 86'400))
      ->capture_default_str();
  app.add_option("--sessions-max", s.sessions_max, "sessions at one time; more are answered 486")
      ->check(CLI::Range(1, 250))
      ->capture_default_str();
  app.add_option("--message-bytes-max", s.message_bytes_max,
                 "bytes of a message received by MSRP; more is answered 413")
      ->capture_default_str();
  app.add_option("--file-bytes-max", s.file_bytes_max, "bytes of a file received; more is answered 488")
      ->capture_default_str();
  app.add_option("--saved-bytes-max", s.saved_bytes_max,
                 "bytes of messages that one run saves in --files, at least 4096 for each; more is refused")
      ->capture_default_str();
  app.add_option("--chunk-bytes", s.chunk_bytes, "bytes of a message in one MSRP chunk")
      ->check(CLI::Range(16, 65'536))
      ->capture_default_str();
  double seconds = 40;
  app.add_option("--timeout", seconds,
                 "seconds that send, settings, history, deferred and register --once wait for their answer")
      ->check(CLI::Range(0.1, 86'400.0))
      ->capture_default_str();
  const std::map<std::string, core::LoopKind> loops{
      {"auto", core::LoopKind::automatic}, {"uring", core::LoopKind::uring}, {"epoll", core::LoopKind::epoll}};
  app.add_option("--loop", s.loop, "event loop: auto, uring or epoll")->transform(CLI::CheckedTransformer(loops));

  CLI::App* const enrol = app.add_subcommand("register", "register and stay so until interrupted");
  enrol->add_flag("--once", s.once, "give it up again at once: does the login work?");
  enrol->add_flag("--json", s.json, "events as lines of JSON");

  CLI::App* const send = app.add_subcommand("send", "send one message or file");
  std::string to;
  send->add_option("to", to, "URI, or several with commas")->required();
  send->add_option("text", s.text, "what to say; '-' reads standard input");
  send->add_option("--file", s.file, "send this file");
  send->add_option("--type", s.content_type, "content type (default: text/plain, or by the file's name)");
  send->add_flag("--report", s.report, "wait for the receipt (IMDN or MSRP REPORT)");
  send->add_flag("--display", s.display, "wait until it was shown; implies --report");
  send->add_flag("--json", s.json, "events as lines of JSON");

  CLI::App* const receive = app.add_subcommand("recv", "register and print what comes");
  receive->add_flag("--json", s.json, "one JSON object a line and event");
  receive->add_option("--count", s.count, "end after so many messages and files");
  receive->add_option("--files", s.directory,
                      "take files, and what is no text, into this directory (default: they are refused, "
                      "also a text that such a part comes with)");
  receive->add_flag("--displayed", s.display, "tell senders who ask that their message was shown");

  CLI::App* const chat = app.add_subcommand("chat", "talk to a user or a group");
  std::string peer;
  chat->add_option("to", peer, "URI of a user or, with --group, of a group; none: wait for invitations");
  bool group = false;
  chat->add_flag("--group", group, "it is a group or a session of several");
  chat->add_option("--subject", s.subject, "what about");
  chat->add_option("--files", s.directory,
                   "take files, and what is no text, into this directory (default: they are refused, "
                   "also a text that such a part comes with)");
  chat->add_flag("--ask", s.ask, "invitations wait for /accept or /decline");
  chat->add_flag("--json", s.json, "events as lines of JSON; lines of standard input are messages and commands");

  CLI::App* const settings = app.add_subcommand("settings", "service settings");
  settings->require_subcommand(1);
  CLI::App* const get = settings->add_subcommand("get", "what holds");
  get->add_flag("--json", s.json, "as a line of JSON");
  CLI::App* const set = settings->add_subcommand("set",
                                                 "publish: session-barring, pager-barring, invisible, "
                                                 "offline-delivery, history-session, history-pager, file-barring");
  set->add_option("pairs", s.pairs, "name=on|off ...")->required();
  set->add_flag("--json", s.json, "as a line of JSON");

  CLI::App* const groups = app.add_subcommand("group", "sessions of several");
  groups->require_subcommand(1);
  CLI::App* const create = groups->add_subcommand("create", "invite these by the conference factory, and talk");
  create->add_option("users", s.to, "URIs")->required();
  create->add_option("--subject", s.subject, "what about");
  create->add_flag("--json", s.json, "as for chat");

  CLI::App* const history = app.add_subcommand("history", "records of your conversations");
  CLI::App* const deferred = app.add_subcommand("deferred", "messages that wait for you");
  for (CLI::App* const kept : {history, deferred}) {
    kept->require_subcommand(1);
    CLI::App* const list = kept->add_subcommand("list", "what there is");
    CLI::App* const fetch = kept->add_subcommand("get", "fetch one and show it");
    fetch->add_option("--files", s.directory,
                      "save what is no text in this directory (default: the current one; with --json it is in the "
                      "events)");
    CLI::App* const remove = kept->add_subcommand("delete", "delete one; needs --xcap");
    for (CLI::App* const one : {fetch, remove}) one->add_option("id", s.id, "as 'list' shows it")->required();
    for (CLI::App* const one : {list, fetch, remove}) one->add_flag("--json", s.json, "events as lines of JSON");
    list->callback([&s] { s.command = Settings::Command::stored_list; });
    fetch->callback([&s] { s.command = Settings::Command::stored_get; });
    remove->callback([&s] { s.command = Settings::Command::stored_delete; });
  }

  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    const bool print = error.get_exit_code() == 0;
    parsed.outcome = print ? ParsedOptions::Outcome::print : ParsedOptions::Outcome::bad;
    if (dynamic_cast<const CLI::CallForVersion*>(&error) != nullptr) {
      parsed.text = std::string("parley ") + parleyd::version + "\n";
    } else if (print) {
      const CLI::App* shown = &app;
      while (!shown->get_subcommands().empty()) shown = shown->get_subcommands().front();
      parsed.text = shown->help();
    } else {
      parsed.text = std::string(error.what()) + "; see --help";
    }
    return parsed;
  }
  s.timeout = std::chrono::duration_cast<core::Duration>(std::chrono::duration<double>(seconds));
  s.has_text = !s.text.empty();
  s.report = s.report || s.display;
  const auto bad = [&](std::string why) {
    parsed.outcome = ParsedOptions::Outcome::bad;
    parsed.text = std::move(why);
    return parsed;
  };
  if (enrol->parsed()) s.command = Settings::Command::enrol;
  if (send->parsed()) {
    s.command = Settings::Command::send;
    for (std::size_t at = 0; at <= to.size();) {
      const std::size_t comma = std::min(to.find(',', at), to.size());
      if (comma != at) s.to.push_back(to.substr(at, comma - at));
      at = comma + 1;
    }
    if (s.has_text == !s.file.empty()) return bad("send: a text or --file, one of them");
    if (!s.file.empty() && s.to.size() != 1) return bad("send: a file goes to one");
  }
  if (receive->parsed()) s.command = Settings::Command::receive;
  if (chat->parsed()) {
    s.command = group ? Settings::Command::group_create : Settings::Command::chat;
    if (!peer.empty()) s.to.push_back(peer);
    if (group && peer.empty()) return bad("chat: --group needs its URI");
    s.joins_group = group;
  }
  for (const std::string& uri : s.to) {
    if (!can_be_called(uri)) return bad("'" + uri + "' is no URI, like sip:NAME@DOMAIN");
  }
  if (get->parsed()) s.command = Settings::Command::settings_get;
  if (set->parsed()) s.command = Settings::Command::settings_set;
  if (create->parsed()) s.command = Settings::Command::group_create;
  if (history->parsed()) s.stored = Stored::history;
  if ((history->parsed() || deferred->parsed()) && !s.id.empty() && !is_stored_id(s.id)) {
    return bad("'" + s.id + "' is no id");
  }
  std::string server;
  std::string path;
  if (!s.xcap.empty() && !split_xcap_root(s.xcap, server, path)) {
    return bad("--xcap: '" + s.xcap + "' is no http or https URL");
  }
  if (s.command == Settings::Command::stored_delete && s.xcap.empty()) return bad("delete: --xcap says where");
  return parsed;
}

}  // namespace parley::client
