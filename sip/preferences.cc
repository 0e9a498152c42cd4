// sip/preferences.cc - see preferences.h.
#include "sip/preferences.h"

#include <algorithm>
#include <array>

#include "core/text.h"
#include "sip/event_headers.h"
#include "sip/feature_tags.h"
#include "sip/value.h"

namespace parley::sip {
namespace {

// All values of one header as one list; `joined` is memory for the case that there are several.
std::string_view list_of(const Head& head, std::string_view bytes, HeaderId id, std::string& joined) {
  const Header* const first = head.first(id);
  if (first == nullptr) return {};
  if (head.next(*first) == nullptr) return first->value.of(bytes);
  for (const Header* h = first; h != nullptr; h = head.next(*h)) {
    if (!joined.empty()) joined.append(", ");
    joined.append(h->value.of(bytes));
  }
  return joined;
}

// RFC 3841 section 7.2.2: who says nothing prefers a device that knows his method, and his event package.
void put_implicit(const Head& head, std::string_view bytes, std::string& predicate) {
  predicate.append("*;methods=\"").append(head.method_name.of(bytes)).append("\"");
  Event event;
  if (parse_event(head.value(HeaderId::event, bytes), event)) {
    predicate.append(";events=\"").append(event.package).append("\"");
  }
  predicate.append(";require");
}

// After some were taken out: the first that is left of an instance speaks for it.
void lead_groups(std::vector<Target>& targets) {
  for (std::size_t i = 0; i < targets.size(); ++i) {
    targets[i].fallback = i != 0 && targets[i - 1].group == targets[i].group;
    targets[i].q = targets[i].fallback ? targets[i - 1].q : targets[i].binding->q;
    if (targets[i].fallback) targets[i].preference = targets[i - 1].preference;
  }
  // Stable inside a group, whose newest stays first: the order so far is the last word.
  std::stable_sort(targets.begin(), targets.end(), [](const Target& a, const Target& b) {
    if (a.q != b.q) return a.q > b.q;
    if (a.preference != b.preference) return a.preference > b.preference;
    return a.group < b.group;
  });
}

template <class Drop>
void take_out(std::vector<Target>& targets, Drop&& drop) {
  targets.erase(std::remove_if(targets.begin(), targets.end(), drop), targets.end());
}

void prefer_explicitly(const Head& head, std::string_view bytes, TargetPlan& plan) {
  std::string joined_accept;
  std::string joined_reject;
  const std::string_view accept = list_of(head, bytes, HeaderId::accept_contact, joined_accept);
  const std::string_view reject = list_of(head, bytes, HeaderId::reject_contact, joined_reject);
  const bool any = !plan.targets.empty();
  take_out(plan.targets, [&](Target& target) {
    if (rejects_contact(target.binding->params, reject)) return true;
    const ContactScore score = score_contact(target.binding->params, accept);
    target.preference = static_cast<std::uint16_t>(score.score);
    return score.dropped;
  });
  plan.preferred_none = any && plan.targets.empty();
}

// A device that tells of some tags but not of its methods is no worse than one that tells of none, so what is implied
// takes out and does not order.
void prefer_implicitly(const Head& head, std::string_view bytes, TargetPlan& plan) {
  std::string predicate;
  put_implicit(head, bytes, predicate);
  const auto unfit = [&](const Target& target) { return score_contact(target.binding->params, predicate).dropped; };
  if (std::all_of(plan.targets.begin(), plan.targets.end(), unfit)) return;  // R3841-2: better these than none
  take_out(plan.targets, unfit);
}

}  // namespace

Disposition disposition_of(const Head& head, std::string_view bytes) {
  struct Named {
    std::string_view name;
    bool Disposition::*flag;
  };
  constexpr std::array names = {
      Named{"redirect", &Disposition::redirect},     Named{"no-fork", &Disposition::no_fork},
      Named{"no-cancel", &Disposition::no_cancel},   Named{"no-recurse", &Disposition::no_recurse},
      Named{"sequential", &Disposition::sequential}, Named{"queue", &Disposition::queue}};
  Disposition all;
  for (const Header* h = head.first(HeaderId::request_disposition); h != nullptr; h = head.next(*h)) {
    Items items(h->value.of(bytes));
    for (std::string_view item; items.next(item);) {
      for (const Named& named : names) {
        if (core::equal_ignore_case(item, named.name)) all.*named.flag = true;
      }
    }
  }
  return all;
}

void plan_targets(std::span<const Binding> bindings, const Head& head, std::string_view bytes, core::Instant now,
                  TargetPlan& plan) {
  plan.groups.clear();
  plan.preferred_none = false;
  order_targets(bindings, now, plan.targets);
  const bool is_explicit =
      head.first(HeaderId::accept_contact) != nullptr || head.first(HeaderId::reject_contact) != nullptr;
  if (is_explicit) {
    prefer_explicitly(head, bytes, plan);
  } else {
    prefer_implicitly(head, bytes, plan);
  }
  lead_groups(plan.targets);

  const Disposition disposition = disposition_of(head, bytes);
  if (disposition.no_fork && !plan.targets.empty()) {
    const auto second = std::find_if(plan.targets.begin() + 1, plan.targets.end(),
                                     [](const Target& target) { return !target.fallback; });
    plan.targets.erase(second, plan.targets.end());
  }
  for (std::size_t i = 0; i < plan.targets.size(); ++i) {
    const Target& target = plan.targets[i];
    if (target.fallback) continue;
    const bool alike =
        i != 0 && plan.targets[i - 1].q == target.q && plan.targets[i - 1].preference == target.preference;
    if (!alike || disposition.sequential) plan.groups.push_back(static_cast<std::uint32_t>(i));
  }
}

}  // namespace parley::sip
