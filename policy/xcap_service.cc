// policy/xcap_service.cc - see xcap_service.h.
#include "policy/xcap_service.h"

#include <algorithm>
#include <utility>

#include "core/text.h"
#include "policy/user_key.h"
#include "policy/xcap_tree.h"
#include "policy/xcap_usages.h"
#include "policy/xml_writer.h"

namespace parley::policy {
namespace {

constexpr std::size_t name_bytes_max = 256;  // of a document
// Of what the service itself has written.
constexpr XmlLimits computed_limits{
    .bytes_max = 64 * 1024 * 1024, .tag_bytes_max = 64 * 1024, .elements_max = 1'000'000};
constexpr std::string_view reads_only = "GET, HEAD";
constexpr std::string_view reads_and_deletes = "GET, HEAD, DELETE";
constexpr std::string_view all_methods = "GET, HEAD, PUT, DELETE";

std::string key_of(std::string_view owner, std::string_view auid, std::string_view name) {
  return std::string(owner).append("\n").append(auid).append("\n").append(name);
}

XcapOutcome answer(std::uint16_t status) {
  XcapOutcome outcome;
  outcome.answer.status = status;
  return outcome;
}

XcapOutcome not_allowed(std::string_view allow) {
  XcapOutcome outcome = answer(405);
  outcome.answer.allow = allow;
  return outcome;
}

XcapOutcome conflict(XcapFault fault, std::string_view phrase, std::string_view detail = {}) {
  if (fault == XcapFault::not_found) return answer(404);
  XcapOutcome outcome = answer(409);
  outcome.answer.type = xcap_error_type;
  outcome.answer.body = xcap_report(fault, phrase, detail);
  return outcome;
}

std::string_view element_of(XcapFault fault) {
  switch (fault) {
    case XcapFault::none:
    case XcapFault::not_found: break;
    case XcapFault::not_well_formed: return "not-well-formed";
    case XcapFault::not_xml_frag: return "not-xml-frag";
    case XcapFault::no_parent: return "no-parent";
    case XcapFault::schema_validation_error: return "schema-validation-error";
    case XcapFault::not_xml_att_value: return "not-xml-att-value";
    case XcapFault::cannot_insert: return "cannot-insert";
    case XcapFault::cannot_delete: return "cannot-delete";
    case XcapFault::uniqueness_failure: return "uniqueness-failure";
    case XcapFault::constraint_failure: return "constraint-failure";
    case XcapFault::not_utf8: return "not-utf-8";
  }
  return "constraint-failure";
}

// Whether a list of entity tags has this one (RFC 9110 section 13.1). An empty one is that of nothing.
bool has_tag(std::string_view list, std::string_view etag, bool weak) {
  while (!list.empty()) {
    if (list[0] == ' ' || list[0] == '\t' || list[0] == ',') {
      list.remove_prefix(1);
      continue;
    }
    if (list[0] == '*') return !etag.empty();
    const bool is_weak = list.starts_with("W/");
    if (is_weak) list.remove_prefix(2);
    if (!list.starts_with('"')) return false;
    const std::size_t end = list.find('"', 1);
    if (end == std::string_view::npos) return false;
    if ((weak || !is_weak) && !etag.empty() && list.substr(1, end - 1) == etag) return true;
    list.remove_prefix(end + 1);
  }
  return false;
}

// 200, 304 or 412.
std::uint16_t judge_conditions(const XcapRequest& request, std::string_view etag) {
  const bool reads = request.method == "GET" || request.method == "HEAD";
  if (request.if_match && !has_tag(*request.if_match, etag, false)) return 412;
  if (request.if_none_match && has_tag(*request.if_none_match, etag, true)) return reads ? 304 : 412;
  return 200;
}

// Type and subtype, without parameters.
bool is_type(std::string_view content_type, std::string_view wanted) {
  std::string_view type = content_type.substr(0, content_type.find(';'));
  while (!type.empty() && (type.back() == ' ' || type.back() == '\t')) type.remove_suffix(1);
  return core::equal_ignore_case(type, wanted);
}

std::string etag_text(std::uint64_t number) {
  static constexpr std::string_view digits = "0123456789abcdef";
  std::string text;
  for (int shift = 60; shift >= 0; shift -= 4) text += digits[(number >> shift) & 15];
  return text;
}

bool owns(const XcapAsk& ask, const XcapRequest& request) {
  return !ask.place.global &&
         std::find(request.users.begin(), request.users.end(), ask.place.owner) != request.users.end();
}

// The node of a document that a request is about, and what is wrong with the selector.
std::uint16_t read_selector(const XcapAsk& ask, XcapSelector& out) {
  switch (parse_node_selector(ask.target.node, ask.target.query, ask.usage->space(), out)) {
    case XcapUriFault::malformed: return 400;
    case XcapUriFault::unknown: return 404;
    case XcapUriFault::none: break;
  }
  return 200;
}

// For <ancestor> of a <no-parent>.
std::string ancestor_of(const XcapAsk& ask, std::string_view root, const XcapSelector& selector, std::size_t steps) {
  std::string uri(root);
  uri += '/';
  put_percent_encoded(ask.place.auid, uri);
  uri.append("/users/");
  put_percent_encoded(ask.place.owner, uri);
  uri += '/';
  put_percent_encoded(ask.place.document, uri, true);
  if (steps != 0) uri.append("/~~");
  for (std::size_t n = 0; n < steps; ++n) {
    uri += '/';
    put_percent_encoded(selector.steps[n].text, uri);
  }
  if (steps != 0 && !ask.target.query.empty()) uri.append("?").append(ask.target.query);
  return uri;
}

}  // namespace

std::string xcap_report(XcapFault fault, std::string_view phrase, std::string_view detail) {
  std::string body;
  XmlWriter xml(body);
  xml.open("xcap-error").attribute("xmlns", "urn:ietf:params:xml:ns:xcap-error").open(element_of(fault));
  if (!phrase.empty()) xml.attribute("phrase", phrase);
  if (fault == XcapFault::no_parent && !detail.empty()) xml.leaf("ancestor", detail);
  if (fault == XcapFault::uniqueness_failure) xml.open("exists").attribute("field", detail).close();
  xml.close().close();
  return body;
}

XcapService::XcapService(XcapConfig config, std::vector<std::unique_ptr<const XcapUsage>> usages)
    : config_(std::move(config)), usages_([&] {
        usages.push_back(std::make_unique<const XcapCaps>(usages));
        return std::move(usages);
      }()) {
  auto empty = std::make_shared<UserDocuments>();
  empty->domain = config_.domain;
  hold(std::move(empty));
}

XcapWorld XcapService::world() const {
  return {.operators = *operators_,
          .accounts = *accounts_,
          .domain = config_.domain,
          .groups_prefix = config_.groups_prefix,
          .reserved = config_.reserved,
          .group_members_max = config_.group_members_max,
          .lists = lists_};
}

XmlLimits XcapService::limits() const { return {.bytes_max = config_.document_bytes_max, .elements_max = 20'000}; }

std::string XcapService::user_of(std::string_view name) const {
  return world().user_of(name);
}

// --- what is asked for

XcapAsk XcapService::ask(std::string_view target) const {
  XcapAsk ask;
  switch (parse_xcap_target(target, config_.root, ask.target)) {
    case XcapUriFault::malformed: ask.status = 400; return ask;
    case XcapUriFault::unknown: ask.status = 404; return ask;
    case XcapUriFault::none: break;
  }
  const auto usage =
      std::find_if(usages_.begin(), usages_.end(), [&](const auto& each) { return each->auid() == ask.target.auid; });
  ask.place = {.auid = ask.target.auid, .global = ask.target.global, .document = ask.target.document};
  if (!ask.place.global) ask.place.owner = user_of(ask.target.xui);
  if (usage == usages_.end() || (!ask.place.global && ask.place.owner.empty())) {
    ask.status = 404;
    return ask;
  }
  ask.usage = usage->get();
  return ask;
}

bool XcapService::may_compute(const XcapAsk& ask, const XcapRequest& request) {
  return ask.usage->computed() && ask.usage->has(ask.place) && (ask.place.global || owns(ask, request));
}

const XcapService::Stored* XcapService::find(const XcapPlace& place) const {
  if (place.global) return nullptr;
  const auto found = documents_.find(key_of(place.owner, place.auid, place.document));
  return found == documents_.end() ? nullptr : &found->second;
}

std::string XcapService::hidden_owner(const XcapPlace& place) const {
  const std::string_view number = number_in(place.owner);
  if (number.empty()) return {};
  std::string other = "tel:" + std::string(number);
  const bool his = other != place.owner && user_of(other) == place.owner;
  return his && documents_.contains(key_of(other, place.auid, place.document)) ? other : std::string();
}

XcapOutcome XcapService::judge(const XcapAsk& ask, const XcapRequest& request, const XcapComputed* computed) const {
  if (ask.status != 200) return answer(ask.status);
  const bool reads = request.method == "GET" || request.method == "HEAD";
  const bool changes = request.method == "PUT" || request.method == "DELETE";
  const bool himself = owns(ask, request);
  if (ask.usage->computed()) {
    if (!himself && !ask.place.global) return answer(403);
    if (!reads && !changes) return not_allowed(ask.usage->erases() ? reads_and_deletes : reads_only);
    return judge_computed(ask, request, computed == nullptr ? XcapComputed{} : *computed);
  }
  const Stored* const stored = find(ask.place);
  // Who may not read hears nothing of what is there.
  if (!himself && !(reads && stored != nullptr &&
                    std::any_of(request.users.begin(), request.users.end(),
                                [&](const std::string& user) { return ask.usage->may_read(user, stored->value, world()); }))) {
    return answer(ask.place.global && reads ? 404 : 403);
  }
  if (reads) return judge_read(ask, request, stored);
  if (request.method == "PUT") return judge_put(ask, request, stored);
  if (request.method == "DELETE") return judge_delete(ask, request, stored);
  return not_allowed(all_methods);
}

// --- GET

XcapOutcome XcapService::judge_read(const XcapAsk& ask, const XcapRequest& request, const Stored* stored) const {
  XcapSelector selector;
  if (ask.target.has_node) {
    if (const std::uint16_t status = read_selector(ask, selector); status != 200) return answer(status);
  }
  if (stored == nullptr) return answer(404);
  XcapOutcome outcome;
  outcome.answer.type = ask.usage->type();
  if (ask.target.has_node) {
    XcapTree tree;
    if (tree.read(stored->row.body, limits())) return answer(404);
    XcapNode node = get_node(tree, selector);
    if (!node.found) return answer(404);
    outcome.answer.type = node.type;
    outcome.answer.body = std::move(node.body);
  } else {
    outcome.answer.body = stored->row.body;
  }
  outcome.answer.etag = stored->row.etag;
  outcome.answer.status = judge_conditions(request, stored->row.etag);
  if (outcome.answer.status != 200) outcome.answer.body.clear();
  return outcome;
}

XcapOutcome XcapService::judge_computed(const XcapAsk& ask, const XcapRequest& request,
                                        const XcapComputed& computed) const {
  const bool deletes = request.method == "DELETE";
  const std::string_view allow = ask.usage->erases() ? reads_and_deletes : reads_only;
  if (request.method == "PUT" || (deletes && !ask.usage->erases())) return not_allowed(allow);
  XcapSelector selector;
  if (ask.target.has_node) {
    if (const std::uint16_t status = read_selector(ask, selector); status != 200) return answer(status);
    if (deletes && selector.terminal == XcapTerminal::namespaces) return not_allowed(reads_only);
    if (deletes && selector.terminal == XcapTerminal::attribute) {
      return conflict(XcapFault::constraint_failure, "only whole entries can be deleted");
    }
  }
  if (computed.status != 200) return answer(computed.status);
  XcapOutcome outcome;
  outcome.answer.type = ask.usage->type();
  outcome.answer.body = computed.body;
  outcome.answer.etag = computed.etag;
  if (ask.target.has_node) {
    XcapTree tree;
    if (tree.read(computed.body, computed_limits)) return answer(500);
    XcapNode node = get_node(tree, selector);
    if (!node.found) return answer(404);
    if (deletes && find_element(tree, selector) != 0) {  // RFC 4825 section 8.2.4: the same once more must not delete another one
      const XcapEdit edit = delete_node(tree, selector, computed_limits);
      if (edit.fault == XcapFault::cannot_delete) return conflict(edit.fault, edit.phrase);
    }
    outcome.answer.type = node.type;
    outcome.answer.body = std::move(node.body);
  }
  outcome.answer.status = judge_conditions(request, computed.etag);
  if (outcome.answer.status != 200) outcome.answer.body.clear();
  if (deletes && outcome.answer.status == 200) {
    outcome.erases = true;
    outcome.answer = {};
  }
  return outcome;
}

std::uint16_t XcapService::erase(const XcapAsk& ask, const XcapComputed& computed) const {
  if (!ask.target.has_node) return ask.usage->erase(ask.place, {});
  XcapSelector selector;
  XcapTree tree;
  if (read_selector(ask, selector) != 200) return 404;
  if (tree.read(computed.body, computed_limits)) return 500;
  const std::uint32_t element = find_element(tree, selector);
  if (element == XcapTree::none) return 404;
  return ask.usage->erase(ask.place, element == 0 ? XmlElement() : tree.at(element).read);
}

// --- PUT

XcapOutcome XcapService::judge_put(const XcapAsk& ask, const XcapRequest& request, const Stored* stored) const {
  const std::string_view etag = stored == nullptr ? std::string_view{} : std::string_view(stored->row.etag);
  const auto checked = [&](std::string_view wanted) -> std::optional<XcapOutcome> {
    if (!is_type(request.content_type, wanted)) {
      XcapOutcome outcome = answer(415);
      outcome.answer.accept = wanted;
      return outcome;
    }
    const std::uint16_t status = judge_conditions(request, etag);
    if (status != 200) return answer(status);
    if (request.body.size() > config_.document_bytes_max) return answer(413);
    return std::nullopt;
  };
  if (!ask.target.has_node) {
    if (auto refusal = checked(ask.usage->type())) return *std::move(refusal);
    if (ask.place.document.find('/') != std::string::npos) {
      return conflict(XcapFault::no_parent, "there are no directories below a user's own");
    }
    if (!ask.usage->has(ask.place) || ask.place.document.size() > name_bytes_max) {
      return conflict(XcapFault::constraint_failure, "no document can have this name");
    }
    if (!is_utf8_text(request.body) || check_xml_encoding(request.body)) return conflict(XcapFault::not_utf8, {});
    XmlDocument document;
    if (const XmlError error = document.parse(request.body, limits())) {
      return conflict(XcapFault::not_well_formed, to_string(error));
    }
    return changed(ask, request, stored, std::string(request.body), stored == nullptr);
  }
  XcapSelector selector;
  if (const std::uint16_t status = read_selector(ask, selector); status != 200) return answer(status);
  if (selector.terminal == XcapTerminal::namespaces) return not_allowed(reads_only);
  if (auto refusal = checked(selector.terminal == XcapTerminal::attribute ? xcap_attribute_type : xcap_element_type)) {
    return *std::move(refusal);
  }
  XcapTree tree;
  if (stored == nullptr || tree.read(stored->row.body, limits())) {
    return conflict(XcapFault::no_parent, "the document is not there");
  }
  XcapEdit edit = put_node(tree, selector, request.body, limits());
  if (edit.fault == XcapFault::no_parent) {
    return conflict(edit.fault, edit.phrase, ancestor_of(ask, config_.root, selector, edit.ancestor));
  }
  if (edit.fault != XcapFault::none) return conflict(edit.fault, edit.phrase);
  return changed(ask, request, stored, std::move(edit.bytes), edit.created);
}

XcapOutcome XcapService::judge_delete(const XcapAsk& ask, const XcapRequest& request, const Stored* stored) const {
  XcapSelector selector;
  if (ask.target.has_node) {
    if (const std::uint16_t status = read_selector(ask, selector); status != 200) return answer(status);
    if (selector.terminal == XcapTerminal::namespaces) return not_allowed(reads_only);
  }
  if (stored == nullptr) return answer(404);
  if (const std::uint16_t status = judge_conditions(request, stored->row.etag); status != 200) return answer(status);
  if (ask.target.has_node) {
    XcapTree tree;
    if (tree.read(stored->row.body, limits())) return answer(404);
    XcapEdit edit = delete_node(tree, selector, limits());
    if (edit.fault != XcapFault::none) return conflict(edit.fault, edit.phrase);
    return changed(ask, request, stored, std::move(edit.bytes), false);
  }
  XcapOutcome outcome;
  outcome.change.emplace();
  outcome.change->removes = true;
  outcome.change->row = stored->row;
  outcome.change->row.changed_ms = request.now_ms;
  outcome.change->previous_etag = stored->row.etag;
  outcome.change->also_removes = hidden_owner(ask.place);
  return outcome;
}

// Section 8.2.5: the document as it would be then.
XcapOutcome XcapService::changed(const XcapAsk& ask, const XcapRequest& request, const Stored* stored,
                                 std::string&& bytes, bool created) const {
  XcapValue value;
  XcapRefusal refusal = ask.usage->read(ask.place, bytes, world(), value);
  if (refusal.fault == XcapFault::none) refusal = judge_others(ask, value);
  const auto limited = [](XcapOutcome outcome, XcapLimit limit) {
    outcome.limit = limit;
    return outcome;
  };
  if (refusal.fault != XcapFault::none) {
    return limited(conflict(refusal.fault, refusal.phrase, refusal.field), refusal.limit);
  }
  const std::uint64_t before = stored == nullptr ? 0 : stored->row.body.size();
  if (stored == nullptr && count_of(ask.place.owner, {}) >= config_.documents_per_user_max) {
    return limited(conflict(XcapFault::constraint_failure, "the user has as many documents as he may have"),
                   XcapLimit::documents_per_user);
  }
  if (bytes_ - before + bytes.size() > config_.bytes_max) return limited(answer(507), XcapLimit::documents_bytes);
  if (stored == nullptr && documents_.size() >= config_.documents_max) {
    return limited(answer(507), XcapLimit::documents);
  }
  XcapOutcome outcome = answer(created ? 201 : 200);
  outcome.change = XcapChange{.row = {.auid = ask.place.auid,
                                      .owner = stored == nullptr ? ask.place.owner : stored->row.owner,
                                      .name = ask.place.document,
                                      .etag = etag_text(request.random),
                                      .body = std::move(bytes),
                                      .changed_ms = request.now_ms},
                              .value = std::move(value),
                              .previous_etag = stored == nullptr ? std::string() : stored->row.etag,
                              .also_removes = hidden_owner(ask.place)};
  outcome.answer.etag = outcome.change->row.etag;
  return outcome;
}

XcapRefusal XcapService::judge_others(const XcapAsk& ask, const XcapValue& value) const {
  const std::string own = key_of(ask.place.owner, ask.place.auid, ask.place.document);
  for (const auto& group : value.groups) {
    const auto other = group_of_.find(group->key());
    if (other != group_of_.end() && other->second != own) {
      return {XcapFault::uniqueness_failure, "the URI of the group is another group's", "group/list-service/@uri"};
    }
  }
  const auto here = documents_.find(own);
  if (is_single_document(ask.place.auid) && (here == documents_.end() || here->second.refused) &&
      count_of(ask.place.owner, ask.place.auid) != (here == documents_.end() ? 0U : 1U)) {
    return {XcapFault::constraint_failure, "the user has such a document under its other name", {}};
  }
  return {};
}

std::size_t XcapService::count_of(std::string_view owner, std::string_view auid) const {
  const std::string prefix = auid.empty() ? std::string(owner) + "\n" : key_of(owner, auid, {});
  std::size_t count = 0;
  for (auto at = documents_.lower_bound(prefix); at != documents_.end() && at->first.starts_with(prefix); ++at) ++count;
  return count;
}

// --- what is so then

// What the operator has of the same name hides it where it is looked up (user_documents.h).
void XcapService::show(const Stored& stored, UserDocuments& out) {
  const std::string key = kept_under(stored);
  for (const auto& group : stored.value.groups) {
    out.groups.put(group->key(), group);
    group_of_.insert_or_assign(group->key(), key);
  }
  for (const std::string* const owner : {&stored.owner, &stored.row.owner}) {  // by both he may be asked for
    if (stored.value.access_rules != nullptr) out.access_rules.put(*owner, stored.value.access_rules);
    if (stored.value.lists != nullptr) out.lists.put(*owner, stored.value.lists);
    if (stored.value.settings) {
      out.settings.put(*owner,
                       std::make_shared<const ImSettings>(settled(operators_->user_defaults, *stored.value.settings)));
    }
    if (stored.row.owner == stored.owner) break;
  }
}

void XcapService::hide(const Stored& stored, UserDocuments& out) {
  for (const auto& group : stored.value.groups) {
    out.groups.erase(group->key());
    group_of_.erase(group->key());
  }
  for (const std::string* const owner : {&stored.owner, &stored.row.owner}) {
    if (stored.value.access_rules != nullptr) out.access_rules.erase(*owner);
    if (stored.value.lists != nullptr) out.lists.erase(*owner);
    if (stored.value.settings) out.settings.erase(*owner);
  }
}

void XcapService::list_owned(std::string_view owner, UserDocuments& out) const {
  const std::string prefix = std::string(owner) + "\n";
  auto list = std::make_shared<std::vector<OwnedDocument>>();
  for (auto at = documents_.lower_bound(prefix); at != documents_.end() && at->first.starts_with(prefix); ++at) {
    const core::XcapRow& row = at->second.row;
    list->push_back({xcap_selector(row.auid, owner, row.name), row.etag});
  }
  if (list->empty()) {
    out.owned.erase(owner);
  } else {
    out.owned.put(owner, std::move(list));
  }
}

std::shared_ptr<const UserDocuments> XcapService::hold(std::shared_ptr<UserDocuments> next) {
  snapshot_ = std::move(next);
  lists_.use(snapshot_);
  return snapshot_;
}

std::shared_ptr<const UserDocuments> XcapService::apply(XcapChange change) {
  auto next = std::make_shared<UserDocuments>(*snapshot_);
  const std::string owner = user_of(change.row.owner);
  const std::string key = key_of(owner, change.row.auid, change.row.name);
  const auto remove = [&](std::string_view which) {
    const auto old = documents_.find(which);
    if (old == documents_.end()) return;
    hide(old->second, *next);
    bytes_ -= old->second.row.body.size();
    documents_.erase(old);
  };
  remove(key);
  if (!change.also_removes.empty()) {
    remove(key_of(change.also_removes, change.row.auid, change.row.name));
    list_owned(change.also_removes, *next);
  }
  next->changed_owner = owner;
  next->changed_selector = xcap_selector(change.row.auid, owner, change.row.name);
  next->previous_etag = std::move(change.previous_etag);
  next->new_etag = change.removes ? std::string() : change.row.etag;
  if (!change.removes) {
    bytes_ += change.row.body.size();
    const auto [stored, fresh] = documents_.emplace(key, Stored{std::move(change.row), owner, std::move(change.value)});
    (void)fresh;
    show(stored->second, *next);
  }
  list_owned(next->changed_owner, *next);
  return hold(std::move(next));
}

std::shared_ptr<const UserDocuments> XcapService::set_operators(std::shared_ptr<const Documents> operators,
                                                                std::vector<std::string>& warnings) {
  operators_ = std::move(operators);
  lists_ = operators_->lists;
  auto next = std::make_shared<UserDocuments>(*snapshot_);
  next->changed_owner.clear();
  give_to_owners(*next, warnings);
  std::vector<std::string> told_before;
  for (auto& [key, stored] : documents_) {
    if (stored.refused && read_again(stored, told_before).fault == XcapFault::none) show(stored, *next);
    if (stored.value.settings) show(stored, *next);  // they are settled over the operator's
    const std::string name = xcap_selector(stored.row.auid, stored.row.owner, stored.row.name);
    for (const auto& group : stored.value.groups) {
      // Its address may be somebody's by now, or nobody's any more.
      const XcapRefusal refusal = judge_group_uri(*group, world());
      if (refusal.fault == XcapFault::none) {
        next->groups.put(group->key(), group);
      } else {
        next->groups.erase(group->key());
        warnings.push_back(name + ": the group " + group->uri() + " does not hold: " + refusal.phrase);
      }
    }
    if (stored.value.access_rules != nullptr && operators_->rules_of(stored.owner) != nullptr) {
      warnings.push_back(name + ": the operator has rules of that user, too; those hold");
    }
  }
  return hold(std::move(next));
}

std::string XcapService::kept_under(const Stored& stored) {
  return key_of(stored.owner, stored.row.auid, stored.row.name);
}

// Accounts come and go.
void XcapService::give_to_owners(UserDocuments& next, std::vector<std::string>& warnings) {
  std::vector<std::string> moving;
  for (const auto& [key, stored] : documents_) {
    if (user_of(stored.row.owner) != stored.owner) moving.push_back(key);
  }
  for (const std::string& key : moving) {
    Map::node_type node = documents_.extract(key);
    Stored& stored = node.mapped();
    const std::string before = stored.owner;
    hide(stored, next);
    stored.refused = true;
    stored.owner = user_of(stored.row.owner);
    if (documents_.contains(kept_under(stored))) stored.owner = stored.row.owner;
    node.key() = kept_under(stored);
    const Map::iterator there = documents_.insert(std::move(node)).position;
    if (read_again(there->second, warnings).fault == XcapFault::none) show(there->second, next);
    list_owned(before, next);
    list_owned(there->second.owner, next);
  }
}

// What does not hold stays what its user has written: he can read, replace and delete it.
XcapRefusal XcapService::read_again(Stored& stored, std::vector<std::string>& warnings) const {
  const std::string name = xcap_selector(stored.row.auid, stored.row.owner, stored.row.name);
  const XcapAsk ask = this->ask(config_.root + "/" + name);
  XcapRefusal refusal{XcapFault::constraint_failure, "no such document can be here", {}};
  stored.value = {};
  if (ask.status == 200 && !ask.usage->computed()) {
    refusal = ask.usage->read(ask.place, stored.row.body, world(), stored.value);
  }
  if (ask.status == 200 && ask.place.owner != stored.owner) {
    refusal = {XcapFault::uniqueness_failure, "its user has one of that name himself", {}};
  }
  if (refusal.fault == XcapFault::none) refusal = judge_others(ask, stored.value);
  stored.refused = refusal.fault != XcapFault::none;
  if (!stored.refused) return refusal;
  stored.value = {};
  warnings.push_back(name + ": does not hold: " + refusal.phrase);
  return refusal;
}

std::shared_ptr<const UserDocuments> XcapService::restore(std::vector<core::XcapRow>&& rows,
                                                          std::vector<std::string>& warnings) {
  auto next = std::make_shared<UserDocuments>(*snapshot_);
  std::stable_partition(rows.begin(), rows.end(),
                        [this](const core::XcapRow& row) { return user_of(row.owner) == row.owner; });
  for (core::XcapRow& row : rows) {
    std::string whose = user_of(row.owner);
    Stored stored{std::move(row), std::move(whose), {}};
    if (documents_.contains(kept_under(stored))) stored.owner = stored.row.owner;
    (void)read_again(stored, warnings);
    bytes_ += stored.row.body.size();
    const std::string owner = stored.owner;
    const auto [there, fresh] = documents_.emplace(kept_under(stored), std::move(stored));
    (void)fresh;
    show(there->second, *next);
    list_owned(owner, *next);
  }
  return hold(std::move(next));
}

std::string xcap_selector(std::string_view auid, std::string_view owner, std::string_view name) {
  std::string out;
  put_percent_encoded(auid, out);
  out.append("/users/");
  put_percent_encoded(owner, out);
  out += '/';
  put_percent_encoded(name, out, true);
  return out;
}

}  // namespace parley::policy
