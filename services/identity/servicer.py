"""IdentityService over the accounts."""

from __future__ import annotations

import grpc

from learndock.serving import caller
from learndock.serving.paging import PageTokens, page_size
from learndock.serving.sql import Database, once
from learndock.v1 import identity_service_pb2 as pb
from learndock.v1 import identity_service_pb2_grpc as rpc
from learndock.wire_accounts import (
    audit_entry_from_message,
    audit_entry_to_message,
    invitation_to_message,
    scopes_to_message,
    token_to_message,
    user_to_message,
)
from services.identity import accounts, invitations, store, tokens
from services.identity.audit import AuditBook, list_entries
from services.identity.authentication import LocalAuthenticator
from services.identity.invitations import MailedInvitations
from services.identity.messages import audit_query, changed_user, requested_role, requested_scopes
from services.identity.models import RequestRow

Context = grpc.ServicerContext


class IdentityServicer(rpc.IdentityServiceServicer):
    """Decodes, calls, encodes."""

    def __init__(
        self,
        database: Database,
        authenticator: LocalAuthenticator,
        audit: AuditBook,
        mailed: MailedInvitations,
        pages: PageTokens,
    ) -> None:
        self._database = database
        self._authenticator = authenticator
        self._audit = audit
        self._mailed = mailed
        self._pages = pages

    def WhoAmI(self, request: pb.WhoAmIRequest, context: Context) -> pb.WhoAmIResponse:
        """Tell the caller's own account."""
        with self._database.read() as session:
            return pb.WhoAmIResponse(user=user_to_message(accounts.get_user(session, caller.current().user_id)))

    def Authenticate(self, request: pb.AuthenticateRequest, context: Context) -> pb.AuthenticateResponse:
        """Tell who holds a token."""
        holder = self._authenticator.holder(request.token)
        return pb.AuthenticateResponse(user=user_to_message(holder.user), scopes=scopes_to_message(holder.scopes))

    def CreateUser(self, request: pb.CreateUserRequest, context: Context) -> pb.CreateUserResponse:
        """Make an account."""
        principal = caller.current()
        with self._database.write() as session:

            def make() -> pb.CreateUserResponse:
                role = requested_role(request.role)
                user = accounts.create_user(session, principal, name=request.name, email=request.email, role=role)
                return pb.CreateUserResponse(user=user_to_message(user))

            return once(
                session,
                RequestRow,
                request_id=request.request_id,
                caller_id=principal.user_id,
                request=request,
                response_type=pb.CreateUserResponse,
                make=make,
            )

    def GetUser(self, request: pb.GetUserRequest, context: Context) -> pb.GetUserResponse:
        """Tell one account."""
        with self._database.read() as session:
            return pb.GetUserResponse(user=user_to_message(accounts.get_user(session, request.user_id)))

    def ListUsers(self, request: pb.ListUsersRequest, context: Context) -> pb.ListUsersResponse:
        """Tell a page of accounts."""
        after = int(self._pages.decode(request.text, request.page_token) or 0)
        size = page_size(request.page_size)
        with self._database.read() as session:
            found = store.list_users(session, text=request.text, after=after, size=size + 1)
        page = found[:size]
        more = len(found) > size
        return pb.ListUsersResponse(
            users=[user_to_message(user) for _, user in page],
            next_page_token=self._pages.encode(request.text, str(page[-1][0])) if more else "",
        )

    def UpdateUser(self, request: pb.UpdateUserRequest, context: Context) -> pb.UpdateUserResponse:
        """Change an account."""
        with self._database.write() as session:
            changed = changed_user(request.user)
            user = accounts.update_user(session, caller.current(), changed, list(request.update_mask.paths))
        return pb.UpdateUserResponse(user=user_to_message(user))

    def CreateToken(self, request: pb.CreateTokenRequest, context: Context) -> pb.CreateTokenResponse:
        """Make a token."""
        with self._database.write() as session:
            token, secret = tokens.create_token(
                session,
                caller.current(),
                of=request.user_id,
                label=request.label,
                lifetime_seconds=request.lifetime_seconds,
                scopes=requested_scopes(request.scopes),
            )
        return pb.CreateTokenResponse(token=token_to_message(token), secret=secret)

    def ListTokens(self, request: pb.ListTokensRequest, context: Context) -> pb.ListTokensResponse:
        """Tell the tokens of the caller, or of a user of lower role."""
        with self._database.read() as session:
            found = tokens.list_tokens(session, caller.current(), request.user_id)
        return pb.ListTokensResponse(tokens=map(token_to_message, found))

    def RevokeToken(self, request: pb.RevokeTokenRequest, context: Context) -> pb.RevokeTokenResponse:
        """End a token."""
        with self._database.write() as session:
            token = tokens.revoke_token(session, caller.current(), request.token_id)
        return pb.RevokeTokenResponse(token=token_to_message(token))

    def CreateInvitation(self, request: pb.CreateInvitationRequest, context: Context) -> pb.CreateInvitationResponse:
        """Invite somebody."""
        with self._database.write() as session:
            invitation, code = invitations.create_invitation(
                session,
                caller.current(),
                email=request.email,
                role=requested_role(request.role),
                lifetime_seconds=request.lifetime_seconds,
            )
        return pb.CreateInvitationResponse(invitation=invitation_to_message(invitation), code=code)

    def ListInvitations(self, request: pb.ListInvitationsRequest, context: Context) -> pb.ListInvitationsResponse:
        """Tell the open invitations."""
        with self._database.read() as session:
            found = invitations.list_invitations(session)
        return pb.ListInvitationsResponse(invitations=map(invitation_to_message, found))

    def RevokeInvitation(self, request: pb.RevokeInvitationRequest, context: Context) -> pb.RevokeInvitationResponse:
        """End an invitation."""
        with self._database.write() as session:
            invitations.revoke_invitation(session, caller.current(), request.invitation_id)
        return pb.RevokeInvitationResponse()

    def RequestInvitation(self, request: pb.RequestInvitationRequest, context: Context) -> pb.RequestInvitationResponse:
        """Send an invitation, if the address is admitted."""
        self._mailed.request(request.email)
        return pb.RequestInvitationResponse()

    def Register(self, request: pb.RegisterRequest, context: Context) -> pb.RegisterResponse:
        """Make an account of an invitation."""
        with self._database.write() as session:
            user = invitations.register(session, code=request.code, name=request.name, email=request.email)
            token, secret = tokens.issue_token(session, user.user_id, label="first token")
        return pb.RegisterResponse(user=user_to_message(user), token=token_to_message(token), secret=secret)

    def ListAuditEntries(self, request: pb.ListAuditEntriesRequest, context: Context) -> pb.ListAuditEntriesResponse:
        """Tell a page of the audit log."""
        query = audit_query(request)
        before = int(self._pages.decode(repr(query), request.page_token) or 0) or None
        size = page_size(request.page_size)
        with self._database.read() as session:
            found = list_entries(session, query, before=before, size=size + 1)
        page = found[:size]
        return pb.ListAuditEntriesResponse(
            entries=[audit_entry_to_message(entry) for _, entry in page],
            next_page_token=self._pages.encode(repr(query), str(page[-1][0])) if len(found) > size else "",
        )

    def RecordAuditEntries(
        self, request: pb.RecordAuditEntriesRequest, context: Context
    ) -> pb.RecordAuditEntriesResponse:
        """Keep entries of another service."""
        self._audit.record_all(list(map(audit_entry_from_message, request.entries)))
        return pb.RecordAuditEntriesResponse()

    def GetUserSummary(self, request: pb.GetUserSummaryRequest, context: Context) -> pb.GetUserSummaryResponse:
        """Count accounts and tokens."""
        with self._database.read() as session:
            return pb.GetUserSummaryResponse(**store.count_users(session))
