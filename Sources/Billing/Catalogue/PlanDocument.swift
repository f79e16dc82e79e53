import Kit

// The form of a plan in `plan_version.document`. It is kept for as long as someone holds the plan: it may gain members and
// never loses or reinterprets one.

extension Plan: Codable {
  private enum Key: String, CodingKey {
    case id, owner, name, summary, prices, every, yearly, seats, proration, alignment, grants
  }

  public init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: Key.self)
    self.init(
      id: try container.decode(PlanID.self, forKey: .id),
      owner: try container.decode(PlanOwner.self, forKey: .owner),
      name: try container.decode(LocalizedText.self, forKey: .name),
      summary: try container.decodeIfPresent(LocalizedText.self, forKey: .summary),
      prices: try container.decode([Money].self, forKey: .prices),
      every: try container.decode(BillingInterval.self, forKey: .every),
      yearly: try container.decodeIfPresent([Money].self, forKey: .yearly) ?? [],
      seats: try container.decode(Int.self, forKey: .seats),
      proration: try container.decodeIfPresent(ProrationUnit.self, forKey: .proration) ?? .day,
      alignment: try container.decodeIfPresent(BillingAlignment.self, forKey: .alignment) ?? .anniversary,
      grants: try container.decode([Grant].self, forKey: .grants))
  }

  /// Members that came later are left out where they hold their default: a plan published before is no new version.
  public func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: Key.self)
    try container.encode(id, forKey: .id)
    try container.encode(owner, forKey: .owner)
    try container.encode(name, forKey: .name)
    try container.encodeIfPresent(summary, forKey: .summary)
    try container.encode(prices, forKey: .prices)
    try container.encode(every, forKey: .every)
    if !yearly.isEmpty { try container.encode(yearly, forKey: .yearly) }
    try container.encode(seats, forKey: .seats)
    if proration != .day { try container.encode(proration, forKey: .proration) }
    if alignment != .anniversary { try container.encode(alignment, forKey: .alignment) }
    try container.encode(grants, forKey: .grants)
  }
}

extension PlanOwner: Codable {
  public init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    let text = try container.decode(String.self)
    if text == "city" {
      self = .city
    } else if let id = TenantID(text) {
      self = .tenant(id)
    } else {
      throw DecodingError.dataCorruptedError(in: container, debugDescription: "expected city or a tenant id")
    }
  }
  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(text)
  }
}

extension TenantSelection: Codable {
  private enum Key: String, CodingKey { case module }

  public init(from decoder: any Decoder) throws {
    if let named = try? decoder.container(keyedBy: Key.self), let module = try? named.decode(String.self, forKey: .module) {
      self = .module(module)
    } else {
      self = .tenants(try decoder.singleValueContainer().decode([TenantID].self))
    }
  }
  public func encode(to encoder: any Encoder) throws {
    switch self {
    case .module(let module):
      var container = encoder.container(keyedBy: Key.self)
      try container.encode(module, forKey: .module)
    case .tenants(let ids):
      var container = encoder.singleValueContainer()
      try container.encode(ids)
    }
  }
}

extension Grant: Codable {
  private enum Key: String, CodingKey { case feature, tenants, unlimited, limit, per, pool, choose, of, features }

  public init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: Key.self)
    if let count = try container.decodeIfPresent(Int.self, forKey: .choose) {
      self = .choice(
        count: count, of: try container.decode([TenantID].self, forKey: .of),
        features: try container.decode([String].self, forKey: .features))
      return
    }
    let quantity: Quantity =
      if let limit = try container.decodeIfPresent(Int.self, forKey: .limit) {
        .limited(limit, pool: try container.decode(Pool.self, forKey: .pool))
      } else {
        .unlimited
      }
    self = .feature(
      try container.decode(String.self, forKey: .feature),
      at: try container.decode(TenantSelection.self, forKey: .tenants), quantity)
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: Key.self)
    switch self {
    case .feature(let feature, let tenants, let quantity):
      try container.encode(feature, forKey: .feature)
      try container.encode(tenants, forKey: .tenants)
      switch quantity {
      case .unlimited: try container.encode(true, forKey: .unlimited)
      case .limited(let limit, let pool):
        try container.encode(limit, forKey: .limit)
        try container.encode("month", forKey: .per)
        try container.encode(pool, forKey: .pool)
      }
    case .choice(let count, let tenants, let features):
      try container.encode(count, forKey: .choose)
      try container.encode(tenants, forKey: .of)
      try container.encode(features, forKey: .features)
    }
  }
}
