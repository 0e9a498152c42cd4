// tools/parley-load/chat_check.cc - what each member has to get, and what senders have to be told: judged as it comes and
// in the end.
#include <algorithm>

#include "tools/parley-load/chat_worker.h"

namespace parley::load {

// False: it is nothing new.
bool ChatWorker::check_number(ChatMember& member, const Stamp& stamp, std::string_view message_id) {
  uint64_t& next = member.next[stamp.sender];
  const uint64_t wanted = next & ~kLoose;
  const bool loose = (next & kLoose) != 0 && stamp.number < wanted;  // under way when it joined
  if (stamp.number < wanted && !loose) {
    // What it had read, and its answer was lost with the connection: comes again with the id it had, in order.
    uint64_t* const again = member.rejoining ? &member.again[stamp.sender] : nullptr;
    if (again != nullptr && member.had.contains(message_id) && (*again == ~uint64_t{0} || *again == stamp.number)) {
      *again = stamp.number + 1;
      ++counts_.doubled;
      return false;
    }
    ++counts_.repeated;
    note(member.name + ": message " + std::to_string(stamp.number) + " of sender " + std::to_string(stamp.sender) +
         " after " + std::to_string(wanted - 1));
    return false;
  }
  if (stamp.number > wanted) {
    if (member.once_stalled) {
      member.gaps.push_back({stamp.sender, wanted, stamp.number});
    } else {
      counts_.lost += stamp.number - wanted;
      note(member.name + ": message " + std::to_string(stamp.number) + " of sender " + std::to_string(stamp.sender) +
           " when " + std::to_string(wanted) + " was due");
    }
  }
  next = stamp.number + 1;
  if (member.will_reconnect) member.had.emplace(message_id);
  return true;
}

// The Message-ID is the one that write_message() gave it.
void ChatWorker::on_report(ChatMember& member, const Head& head) {
  if (parse_status(head.status) == 200) {
    ++counts_.success_reports;
    return;
  }
  ++counts_.failure_reports;
  ++statuses_[parse_status(head.status)];
  const std::string mine = run_ + "." + std::to_string(member.room->index) + "." + std::to_string(member.place) + ".";
  uint64_t number = 0;
  if (member.place >= options_.senders || !head.message_id.starts_with(mine) ||
      !parse_number(head.message_id.substr(mine.size()), number) || number >= member.room->sent[member.place]) {
    ++counts_.reports_wrong;
    return note(member.name + ": a failure REPORT of what it has not sent: " + std::string(head.message_id));
  }
  if (!member.room->told[member.place].insert(number).second) {
    ++counts_.reports_repeated;
    note(member.name + ": a second failure REPORT of message " + std::to_string(number));
  }
}

bool ChatWorker::all_arrived() const {
  return std::all_of(members_.begin(), members_.end(), [this](const auto& member) {
    if (member->state != ChatMember::State::in || member->once_stalled) return true;
    for (uint32_t sender = 0; sender < options_.senders; ++sender) {
      if (sender != member->place && (member->next[sender] & ~kLoose) < member->room->sent[sender]) return false;
    }
    return true;
  });
}

// Whether all who subscribe have been told how many are in.
bool ChatWorker::all_see() const {
  return std::all_of(members_.begin(), members_.end(), [](const auto& m) {
    return m->state != ChatMember::State::in || m->documents_full == 0 ||
           m->user_count == std::to_string(m->room->present);
  });
}

void ChatWorker::settle() {
  for (const auto& m : members_) {
    ChatMember& member = *m;
    if (member.state != ChatMember::State::in) {
      if (!member.once_stalled) note(member.name + " is not in its room at the end");
      if (member.late) ++counts_.join_errors;
      continue;
    }
    if (options_.subscribe && member.user_count != std::to_string(member.room->present)) ++counts_.out_of_date;
    for (uint32_t sender = 0; sender < options_.senders; ++sender) {
      if (sender == member.place) continue;
      const uint64_t next = member.next[sender] & ~kLoose;
      if (next >= member.room->sent[sender]) continue;
      const uint64_t missing = member.room->sent[sender] - next;
      if (member.once_stalled) {
        member.gaps.push_back({sender, next, member.room->sent[sender]});
      } else {
        counts_.lost += missing;
        note(member.name + " misses the last " + std::to_string(missing) + " messages of sender " +
             std::to_string(sender));
      }
    }
  }
  judge_reports();
}

// A member that is behind gets what the room has kept; of what it has not, the sender is told, once. One that was closed
// has been told by that.
void ChatWorker::judge_reports() {
  std::vector<std::vector<std::set<uint64_t>>> missed(rooms_.size(), std::vector<std::set<uint64_t>>(options_.senders));
  for (const auto& member : members_) {
    for (const ChatMember::Gap& gap : member->gaps) {
      counts_.stalled_missed += gap.to - gap.from;
      if (member->closed) continue;
      for (uint64_t n = gap.from; n < gap.to; ++n) missed[member->room->index][gap.sender].insert(n);
    }
  }
  if (options_.failure_report == FailureReport::no) return;
  for (const auto& room : rooms_) {
    for (uint32_t sender = 0; sender < options_.senders; ++sender) {
      const std::set<uint64_t>& told = room->told[sender];
      for (const uint64_t number : missed[room->index][sender]) counts_.reports_missing += told.contains(number) ? 0U : 1U;
      if (counts_.stalled_closed + counts_.lost > 0) continue;  // others may have missed more
      for (const uint64_t number : told)
        counts_.reports_wrong += missed[room->index][sender].contains(number) ? 0U : 1U;
    }
  }
}

}  // namespace parley::load
