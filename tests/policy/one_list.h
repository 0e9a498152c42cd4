// tests/policy/one_list.h - a list that <external-list> can name, in the operator's files.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "policy/common_policy.h"

namespace parley::policy {

// One list of sip:o@x, which has these users.
inline ExternalLists lists_with(const std::string& name, const std::vector<std::string>& users) {
  std::string entries;
  for (const std::string& user : users) entries += "<entry uri='" + user + "'/>";
  auto files = std::make_shared<ExternalLists::Files>();
  const XmlError error = (*files)["sip:o@x"].read(
      "<resource-lists xmlns='urn:ietf:params:xml:ns:resource-lists'><list name='" + name + "'>" + entries + "</list></resource-lists>", {});
  EXPECT_FALSE(error) << to_string(error);
  ExternalLists lists;
  lists.use(std::shared_ptr<const ExternalLists::Files>(std::move(files)));
  return lists;
}

}  // namespace parley::policy
