import Foundation
import HTTPTypes
import Kit
import Web

/// The owner's side of invitations.
extension FamilyService {
  static let invitationEndpoints: [Endpoint<FamilyService>] = [
    .post(
      "/family/invitations",
      EndpointRules(
        access: .signedIn, limit: "post",
        operation: Operation(
          "inviteToFamily", "Makes a link that one person can take for seven days. The link is told once, in this answer.",
          input: .object([("label", .text(1...40))]), output: InvitationView.shape, status: 201,
          problems: [.invalidInput, .conflict, .keyReused]))
    ) { family, visit in
      var input = try await visit.input()
      return try await family.acting(visit, form: .invite, input, done: "invited") { person in
        let label = input.text("label", length: 1...40)
        try input.check()
        let invited = try await family.invite(label, by: person, key: try visit.idempotencyKey(input))
        guard let secret = invited.secret else {
          return visit.wantsJSON ? .json(InvitationView(invited.invitation, at: visit.now)) : nil
        }
        let link = visit.cities.city.origin.url("/family/join?token=\(secret)")
        let view = InvitationView(invited.invitation, at: visit.now, link: link)
        return .page(FamilyService.invitedPage(invited.invitation, link: link, visit), json: view, status: .created)
      }
    },
    .post(
      "/family/invitations/{id}/withdraw",
      EndpointRules(
        access: .signedIn, limit: "post",
        operation: Operation(
          "withdrawInvitation", "Takes an invitation back: its link can't be taken any more.", output: FamilyView.shape,
          problems: [.notFound, .conflict]))
    ) { family, visit in
      try await family.acting(visit, done: "withdrawn") { person in
        try await family.withdraw(try visit.id(), by: person)
        return nil
      }
    },
  ]

  private static func invitedPage(_ invitation: Invitation, link: String, _ visit: Visit) -> Page {
    Page(
      "billing.family-invited", title: visit.text("billing.family.invited.title"),
      [
        "link": link, "label": invitation.label,
        "until": visit.text("billing.family.until", ["time": visit.format.dateTime(invitation.expires)]),
      ])
  }
}
