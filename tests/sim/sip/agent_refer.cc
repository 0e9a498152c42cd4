// tests/sim/sip/agent_refer.cc - see agent.h. REFER within a call (RFC 3515): who is asked takes it, tells by NOTIFY what
// comes of it, and is asked by SUBSCRIBE to go on. A subscription is named by the CSeq of its REFER, which is another
// number on the other side of a server that carries calls leg to leg.
#include <cstdlib>

#include "tests/sim/sip/agent.h"

namespace parley::sim::sip {

void Agent::refer(const std::string& dialog) {
  Dialog& d = dialogs_[dialog];
  if (d.over || !legs()) return;
  const unsigned number = ++d.local_seq;
  Message m = in_dialog(d, "REFER", number);
  const Way way = way_in(d);
  m.add("Contact", contact(way.stream));
  m.add("Refer-To", "<sip:user0@" + book_.domain + ">");
  d.referred.insert(number);
  (void)start(std::move(m), way, [this, dialog, number](const Message* answer) {
    if (answer == nullptr || answer->status == 481 || answer->status == 408) return hang_up(dialog);
    if (answer->status < 300 && rng_.coin(1, 3)) after(some(6s), [this, dialog, number] { renew_refer(dialog, number); });
  });
}

// Or end it, when it is still there.
void Agent::renew_refer(const std::string& dialog, unsigned number) {
  Dialog& d = dialogs_[dialog];
  if (d.over) return;
  Message m = in_dialog(d, "SUBSCRIBE", ++d.local_seq);
  const Way way = way_in(d);
  m.add("Contact", contact(way.stream));
  m.add("Event", "refer;id=" + std::to_string(number));
  m.add("Expires", rng_.coin(1, 2) ? "0" : "60");
  (void)start(std::move(m), way, [](const Message*) {});
}

// True: it is of REFER, and has been dealt with.
bool Agent::on_refer(const std::string& key, const std::string& dialog) {
  const Message m = servers_[key].request;
  Dialog& d = dialogs_[dialog];
  if (m.method == "REFER") {
    if (m.value("Refer-To").empty()) return fail("a REFER to nobody"), true;
    if (rng_.permille(traits_.decline_permille / 3)) return respond(key, rng_.coin(1, 2) ? 603 : 481), true;
    const unsigned number = cseq_number(m);
    d.refers.insert(number);
    respond(key, 202);
    after(some(2s), [this, dialog, number] { tell_refer(dialog, number, false); });
    after(2s + some(6s), [this, dialog, number] { tell_refer(dialog, number, true); });
    return true;
  }
  if (m.method != "NOTIFY" && m.method != "SUBSCRIBE") return false;
  const std::string& event = m.value("Event");
  if (event.substr(0, event.find(';')) != "refer") return fail("a " + m.method + " in a call about " + event), true;
  const std::string id = parameter(event, "id");
  const auto number = static_cast<unsigned>(std::strtoul(id.c_str(), nullptr, 10));
  const std::set<unsigned>& known = m.method == "NOTIFY" ? d.referred : d.refers;
  if (!id.empty() && !known.contains(number)) return fail("a " + m.method + " about a REFER of nobody: " + event), true;
  if (m.method == "NOTIFY") {
    if (m.body.find("SIP/2.0 ") != 0) return fail("a NOTIFY of a REFER with " + m.body), true;
    return respond(key, rng_.permille(traits_.decline_permille / 3) ? 481 : 200), true;
  }
  respond(key, 200, {}, {{"Expires", m.value("Expires")}});
  if (m.value("Expires") == "0") after(some(1s), [this, dialog, number] { tell_refer(dialog, number, true); });
  return true;
}

void Agent::tell_refer(const std::string& dialog, unsigned number, bool last) {
  Dialog& d = dialogs_[dialog];
  if (d.over || !d.refers.contains(number)) return;
  Message m = in_dialog(d, "NOTIFY", ++d.local_seq);
  const Way way = way_in(d);
  m.add("Contact", contact(way.stream));
  // Only the first subscription of a dialog may go without its number (RFC 3515 section 2.4.6).
  const bool bare = d.refers.size() == 1 && rng_.coin(1, 3);
  m.add("Event", bare ? "refer" : "refer;id=" + std::to_string(number));
  m.add("Subscription-State", last ? "terminated;reason=noresource" : "active;expires=60");
  m.add("Content-Type", "message/sipfrag");
  m.body = last ? "SIP/2.0 200 OK\r\n" : "SIP/2.0 100 Trying\r\n";
  (void)start(std::move(m), way, [](const Message*) {});
}

}  // namespace parley::sim::sip
