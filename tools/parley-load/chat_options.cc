// tools/parley-load/chat_options.cc - the flags of `parley-load chat`, and what they mean together.
#include "tools/parley-load/chat_options.h"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <fstream>

#include "tools/parley-load/chat_text.h"

namespace parley::load {
namespace {

std::string filled(std::string pattern, uint32_t number) {
  return pattern.replace(pattern.find('%'), 1, std::to_string(number));
}

}  // namespace

std::string ChatOptions::user_name(uint32_t member) const { return filled(user_pattern, member); }
std::string ChatOptions::room_uri(uint32_t room) const { return "sip:" + filled(room_pattern, room) + "@" + domain; }

void add_chat_flags(CLI::App& app, ChatOptions& o) {
  app.add_option("--server", o.server_text, "SIP server, HOST:PORT; TCP")
      ->required();
  app.add_option("--domain", o.domain, "domain of all users and rooms (default: the server's host)");
  app.add_option("--room-pattern", o.room_pattern, "names of the rooms; '%' is the number, from 0")
      ->capture_default_str();
  app.add_option("--user-pattern", o.user_pattern, "names of the members; '%' is the number, from 0")
      ->capture_default_str();
  app.add_option("--password", o.password, "of all members")->capture_default_str();
  app.add_flag("--asserted", o.asserted,
               "say who members are in P-Asserted-Identity; the server has to trust this host");
  app.add_flag("--tls", o.tls, "MSRP over TLS");
  app.add_option("--tls-ca", o.tls_ca, "CA certificates (PEM) the server is checked against");
  app.add_flag("--insecure", o.insecure, "do not check the server's certificate");

  app.add_option("--rooms", o.rooms, "rooms")->check(CLI::Range(1U, 100'000U))->capture_default_str();
  app.add_option("--members", o.members, "members of each room")
      ->check(CLI::Range(2U, 100'000U))
      ->capture_default_str();
  app.add_option("--senders", o.senders, "of them, those that write; they take turns")
      ->check(CLI::Range(1U, 1000U))
      ->capture_default_str();
  app.add_option(
      "--rate", o.rate_per_s,
      "open loop: beats per second and room (default: closed loop, the next beat when all have the last one)");
  app.add_option("--burst", o.burst, "messages of one beat")->check(CLI::Range(1U, 1024U))->capture_default_str();
  app.add_option("--size", o.size_bytes, "bytes of a message's content, inside its CPIM wrapper")
      ->capture_default_str();
  app.add_option("--failure-report", o.failure_report_text, "Failure-Report of messages: yes, no or partial")
      ->check(CLI::IsMember({"yes", "no", "partial"}))
      ->capture_default_str();
  app.add_flag("--subscribe", o.subscribe, "each member subscribes to the conference state (RFC 4575)");
  app.add_option("--stalled", o.stalled_percent, "percent of the members that stop reading while measuring")
      ->check(CLI::Range(0.0, 90.0));
  app.add_option("--stalled-buffer", o.receive_buffer_bytes, "receive buffer of those, bytes (default: the system's)");
  app.add_option("--reconnect", o.reconnect_percent,
                 "percent of the members that lose their connection once while measuring and join again; they must get "
                 "what they missed, in order")
      ->check(CLI::Range(0.0, 90.0));
  app.add_option("--storm", o.storm,
                 "members of each room, the last ones, that join while measuring, as fast as --setups-at-once lets them; the "
                 "measurement lasts until all are in and, with --subscribe, all have been told so");
  app.add_option("--joins", o.joins_per_s, "members per second that leave and join again while measuring");

  app.add_option("--duration", o.duration_s, "measured seconds; 0: only join, then leave")->capture_default_str();
  app.add_option("--warmup", o.warmup_s, "seconds of load before the measurement")->capture_default_str();
  app.add_option("--drain", o.drain_s, "seconds without any progress after which what is missing counts as lost")
      ->capture_default_str();
  app.add_option("--setup-timeout", o.setup_s, "seconds for all to join")->capture_default_str();
  app.add_option("--setups-at-once", o.setups_at_once, "members joining at one time")
      ->check(CLI::Range(1U, 10'000U))
      ->capture_default_str();
  app.add_option("--sip-connections", o.sip_connections,
                 "SIP connections that the members share; 0: one for each, which NOTIFYs of large rooms need")
      ->check(CLI::Range(0U, 100'000U))
      ->capture_default_str();
  app.add_option("--cpu", o.cpu, "pin to this CPU");
  app.add_flag("--spin", o.spin, "never sleep in the loop");
  app.add_option("--server-pid", o.server_pids, "server process(es) whose tree's CPU time is reported")->delimiter(',');
  app.add_option("--json", o.json_file, "write the result as JSON to FILE ('-': standard output, without the table)");
  app.add_option("--write-groups", o.groups_dir, "only write a group document for each room into this directory");
  app.add_flag("--progress,!--no-progress", o.progress, "a line per second on standard error (default: on)");
  app.add_flag("--allow-errors", o.allow_errors, "refused messages alone do not make the exit status 1");
}

std::string finish_chat_options(ChatOptions& o) {
  if (!parse_address(o.server_text, o.server)) return "--server: HOST:PORT expected";
  if (o.domain.empty()) o.domain = o.server.host;
  if (o.room_pattern.find('%') == std::string::npos) return "--room-pattern: a '%' is needed where the number goes";
  if (o.user_pattern.find('%') == std::string::npos) return "--user-pattern: a '%' is needed where the number goes";
  if (o.senders > o.members) return "--senders: more than --members";
  if (o.size_bytes < kStampBytes || o.size_bytes > kContentBytesMax)
    return "--size: " + std::to_string(kStampBytes) + " to " + std::to_string(kContentBytesMax) + " bytes";
  if (o.subscribe) o.drain_s = std::max(o.drain_s, 12.0);  // NOTIFYs come 5 s apart
  if (o.insecure && !o.tls_ca.empty()) return "--insecure: not together with --tls-ca";
  if (!o.open_loop() && (o.stalled_percent > 0 || o.reconnect_percent > 0 || o.joins_per_s > 0 || o.storm > 0))
    return "--rate: needed with --stalled, --reconnect, --joins and --storm, where not all get each message at once";
  if (o.storm > 0 && o.storm + o.senders + 1 > o.members) return "--storm: nobody would be there to listen before it";
  if (o.storm > 0 && (o.stalled_percent > 0 || o.reconnect_percent > 0 || o.joins_per_s > 0))
    return "--storm: not together with --stalled, --reconnect and --joins";
  o.failure_report = o.failure_report_text == "no"    ? FailureReport::no
                     : o.failure_report_text == "yes" ? FailureReport::yes
                                                      : FailureReport::partial;
  return {};
}

bool write_group_documents(const ChatOptions& o) {
  for (uint32_t room = 0; room < o.rooms; ++room) {
    std::ofstream file(o.groups_dir + "/" + filled(o.room_pattern, room) + ".xml");
    file << "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
            "<group xmlns=\"urn:oma:xml:poc:list-service\" xmlns:cp=\"urn:ietf:params:xml:ns:common-policy\">\n"
            "  <list-service uri=\""
         << o.room_uri(room)
         << "\">\n"
            "    <display-name>"
         << filled(o.room_pattern, room)
         << "</display-name>\n"
            "    <list/>\n"
            "    <invite-members>false</invite-members>\n"
            "    <max-participant-count>"
         << o.members
         << "</max-participant-count>\n"
            "    <cp:ruleset>\n"
            "      <cp:rule id=\"all\">\n"
            "        <cp:conditions><cp:identity><cp:many/></cp:identity></cp:conditions>\n"
            "        <cp:actions>\n"
            "          <join-handling>true</join-handling>\n"
            "          <allow-initiate-conference>true</allow-initiate-conference>\n"
            "          <allow-conference-state>true</allow-conference-state>\n"
            "        </cp:actions>\n"
            "      </cp:rule>\n"
            "    </cp:ruleset>\n"
            "  </list-service>\n"
            "</group>\n";
    if (!file.flush()) return false;
  }
  return true;
}

}  // namespace parley::load
