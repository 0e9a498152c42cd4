// tools/parley-load/chat_msrp.cc - the members' MSRP connections (RFC 4975): messages out, and every one that arrives
// is checked: whose it is, its bytes, its place in its sender's order, and that it comes once.
#include <algorithm>

#include "tools/parley-load/chat_worker.h"

namespace parley::load {

void ChatWorker::connect(ChatMember& member) {
  std::string_view uri = first_uri(member.peer_path);
  const size_t at = uri.find("://");
  Address address;
  if (at == std::string_view::npos ||
      !parse_address(std::string(uri.substr(at + 3, uri.find('/', at + 3) - at - 3)), address))
    return fail_setup(member.name + ": no usable a=path in the answer: " + member.peer_path);
  const bool secure = uri.starts_with("msrps:");
  member.state = ChatMember::State::connecting;
  if (secure && tls_ == nullptr) return fail_setup("the server answers with msrps: --tls is needed");
  if (!member.link.stream.connect(address, secure ? tls_ : nullptr))
    return fail_setup(member.name + ": cannot connect to " + std::string(uri));
  member.link.established = false;
  watch(member.link, EPOLLOUT);
}

// The connection is the session's from its first SEND on (RFC 4975 section 4).
void ChatWorker::bind(ChatMember& member) {
  member.state = ChatMember::State::binding;
  member.tid = 0;
  const std::string tid = "bind" + member.session_id.substr(8);
  send(member.link, "MSRP " + tid + " SEND\r\nTo-Path: " + member.peer_path + "\r\nFrom-Path: " + member.own_uri +
                        "\r\nMessage-ID: " + tid + "\r\nByte-Range: 1-0/0\r\n-------" + tid + "$\r\n");
}

void ChatWorker::is_in(ChatMember& member) {
  member.state = ChatMember::State::in;
  member.in_ns = now_;
  --joining_now_;
  ++joined_;
  ++counts_.joins;
  ++member.room->present;
  joining_.record(now_ - member.invited_ns);
  if (member.rejoining) {
    ++counts_.rejoins;
  } else {
    for (uint32_t sender = 0; sender < options_.senders; ++sender)
      member.next[sender] = member.room->sent[sender] | kLoose;
  }
  if (options_.subscribe) subscribe(member);
}

void ChatWorker::is_out(ChatMember& member) {
  if (member.state == ChatMember::State::in) --member.room->present;
  member.state = ChatMember::State::out;
}

void ChatWorker::record_delivery(uint64_t due_ns) {
  delivery_.record(now_ - due_ns);
  second_.record(now_ - due_ns);
  if (now_ - second_ns_ < 1'000'000'000) return;
  worst_second_ns_ = worst_second_ns();
  second_ = {};
  second_ns_ = now_;
}

uint64_t ChatWorker::worst_second_ns() const {
  // Few deliveries say nothing about their second.
  return second_.count() < 100 ? worst_second_ns_ : std::max(worst_second_ns_, second_.percentile_ns(0.99));
}

void ChatWorker::write_message(ChatRoom& room, ChatMember& sender, uint64_t due_ns) {
  Stamp stamp{.room = room.index, .sender = sender.place, .number = room.sent[sender.place]++, .due_ns = due_ns};
  ++counts_.messages;
  char content[kContentBytesMax];
  put_stamp(content, stamp);
  const std::string_view text = pattern_.piece(message_seed(stamp.room * 1000 + stamp.sender, stamp.number), 0,
                                               options_.size_bytes - kStampBytes);
  std::copy(text.begin(), text.end(), content + kStampBytes);
  const std::string cpim = "From: <" + sender.aor + ">\r\nTo: <" + room.uri +
                           ">\r\nDateTime: 2026-01-01T00:00:00Z\r\n\r\nContent-Type: text/plain\r\n\r\n";
  const std::string size = std::to_string(cpim.size() + options_.size_bytes);
  const std::string tid = "L" + sender.session_id.substr(8) + std::to_string(++sender.tid);
  text_ += "MSRP " + tid + " SEND\r\nTo-Path: " + sender.peer_path + "\r\nFrom-Path: " + sender.own_uri +
           "\r\nMessage-ID: " + run_ + "." + std::to_string(room.index) + "." + std::to_string(stamp.sender) + "." +
           std::to_string(stamp.number) + "\r\nByte-Range: 1-" + size + "/" + size;
  if (options_.failure_report != FailureReport::yes) text_ += "\r\nFailure-Report: " + options_.failure_report_text;
  text_ += "\r\nContent-Type: message/cpim\r\n\r\n" + cpim;
  text_.append(content, options_.size_bytes);
  text_ += "\r\n-------" + tid + "$\r\n";
}

size_t ChatWorker::on_frame(ChatMember& member, std::string_view bytes) {
  Head head;
  const char* why = "";
  switch (parse_head(bytes, head, &why)) {
    case HeadResult::more: return 0;
    case HeadResult::bad:
      ++counts_.bad_frames;
      note(member.name + ": not MSRP: " + why);
      lost(member.link, why);
      return 0;
    case HeadResult::done: break;
  }
  std::string_view body;
  char flag = head.flag;
  size_t used = head.size_bytes;
  if (head.has_body) {
    EndMark mark;
    mark.set(head.tid);
    const BodyScan scan = mark.scan(bytes.substr(used));
    if (scan.flag == 0) return 0;
    body = bytes.substr(used, scan.body_bytes);
    flag = scan.flag;
    used += scan.used_bytes;
  }
  switch (head.method) {
    case Method::response: on_answer(member, head); break;
    case Method::send: on_send(member, head, body, flag); break;
    case Method::report:
      on_report(member, head);
      break;
    default:
      ++counts_.bad_frames;
      note(member.name + ": a method nobody expects");
      break;
  }
  return used;
}

void ChatWorker::on_answer(ChatMember& member, const Head& head) {
  if (member.state == ChatMember::State::binding) {
    if (head.code == 200) return is_in(member);
    ++counts_.join_errors;
    return fail_setup(member.name + ": the first SEND was answered " + std::to_string(head.code));
  }
  if (head.code == 200) {
    ++counts_.answers;
    return;
  }
  ++counts_.refused;
  ++statuses_[head.code];
  note(member.name + ": a SEND was answered " + std::to_string(head.code));
}

void ChatWorker::on_send(ChatMember& member, const Head& head, std::string_view body, char flag) {
  if (head.failure_report == FailureReport::yes) {
    std::string answer = "MSRP ";
    answer.append(head.tid).append(" 200 OK\r\nTo-Path: ").append(first_uri(head.from_path)).append("\r\nFrom-Path: ");
    answer.append(member.own_uri).append("\r\n-------").append(head.tid).append("$\r\n");
    send(member.link, answer);
    // A notice of the room on the way in; what is measured is not answered.
    if (options_.failure_report == FailureReport::no) member.link.stream.acknowledge_what_is_read();
  }
  if (!head.has_body) return;
  if (flag == '#') {
    ++counts_.aborted;
    if (const auto found = member.partial.find(head.message_id); found != member.partial.end())
      member.partial.erase(found);
    return;
  }
  if (flag == '$' && head.range.start == 1) return deliver(member, body, head.message_id);
  std::string& partial = member.partial[std::string(head.message_id)];
  if (head.range.start != partial.size() + 1) {
    ++counts_.corrupted;
    note(member.name + ": a chunk at byte " + std::to_string(head.range.start) + " when byte " +
         std::to_string(partial.size() + 1) + " was due");
  }
  partial.append(body);
  if (flag != '$') return;
  const std::string whole = std::move(partial);
  member.partial.erase(member.partial.find(head.message_id));
  deliver(member, whole, head.message_id);
}

void ChatWorker::deliver(ChatMember& member, std::string_view message, std::string_view message_id) {
  const std::string_view content = content_of(message);
  Stamp stamp;
  if (content.size() != options_.size_bytes || !take_stamp(content, stamp) || stamp.room != member.room->index ||
      stamp.sender >= options_.senders || stamp.number >= member.room->sent[stamp.sender] ||
      !content_right(pattern_, stamp, content)) {
    ++counts_.corrupted;
    return note(member.name + ": a message that nobody wrote: " + std::string(message.substr(0, 300)));
  }
  if (stamp.sender == member.place) {
    ++counts_.echoed;
    return note(member.name + ": its own message came back");
  }
  if (!check_number(member, stamp, message_id)) return;
  ++member.delivered;
  if (member.once_stalled) {
    ++counts_.stalled_delivered;
    return;
  }
  ++counts_.delivered;
  counts_.delivered_bytes += content.size();
  // One that has just joined may get what was under way.
  if (measuring_ && !member.rejoining && (!member.late || stamp.due_ns >= member.in_ns)) record_delivery(stamp.due_ns);
  if (member.room->outstanding > 0) --member.room->outstanding;
}

}  // namespace parley::load
