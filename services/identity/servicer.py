"""IdentityService over the accounts."""

from __future__ import annotations

import grpc

from learndock.serving import caller
from learndock.serving.paging import PageTokens, page_size
from learndock.serving.sql import Database, once
from learndock.v1 import identity_service_pb2 as pb
from learndock.v1 import identity_service_pb2_grpc as rpc
from services.identity import accounts, store
from services.identity.authentication import LocalAuthenticator
from services.identity.messages import role_from_message, token_to_message, user_from_message, user_to_message
from services.identity.models import RequestRow

Context = grpc.ServicerContext


class IdentityServicer(rpc.IdentityServiceServicer):
    """Decodes, calls, encodes."""

    def __init__(self, database: Database, authenticator: LocalAuthenticator, pages: PageTokens) -> None:
        self._database = database
        self._authenticator = authenticator
        self._pages = pages

    def WhoAmI(self, request: pb.WhoAmIRequest, context: Context) -> pb.WhoAmIResponse:
        """Tell the caller's own account."""
        with self._database.read() as session:
            return pb.WhoAmIResponse(user=user_to_message(accounts.get_user(session, caller.current().user_id)))

    def Authenticate(self, request: pb.AuthenticateRequest, context: Context) -> pb.AuthenticateResponse:
        """Tell who holds a token."""
        return pb.AuthenticateResponse(user=user_to_message(self._authenticator.user_of(request.token)))

    def CreateUser(self, request: pb.CreateUserRequest, context: Context) -> pb.CreateUserResponse:
        """Make an account."""
        principal = caller.current()
        with self._database.write() as session:

            def make() -> pb.CreateUserResponse:
                role = role_from_message(request.role)
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
            changed = user_from_message(request.user)
            user = accounts.update_user(session, caller.current(), changed, list(request.update_mask.paths))
        return pb.UpdateUserResponse(user=user_to_message(user))

    def CreateToken(self, request: pb.CreateTokenRequest, context: Context) -> pb.CreateTokenResponse:
        """Make a token."""
        with self._database.write() as session:
            token, secret = accounts.create_token(
                session,
                caller.current(),
                of=request.user_id,
                label=request.label,
                lifetime_seconds=request.lifetime_seconds,
            )
        return pb.CreateTokenResponse(token=token_to_message(token), secret=secret)

    def ListTokens(self, request: pb.ListTokensRequest, context: Context) -> pb.ListTokensResponse:
        """Tell the tokens of the caller, or of a user of lower role."""
        with self._database.read() as session:
            tokens = accounts.list_tokens(session, caller.current(), request.user_id)
        return pb.ListTokensResponse(tokens=[token_to_message(token) for token in tokens])

    def RevokeToken(self, request: pb.RevokeTokenRequest, context: Context) -> pb.RevokeTokenResponse:
        """End a token."""
        with self._database.write() as session:
            token = accounts.revoke_token(session, caller.current(), request.token_id)
        return pb.RevokeTokenResponse(token=token_to_message(token))

    def GetUserSummary(self, request: pb.GetUserSummaryRequest, context: Context) -> pb.GetUserSummaryResponse:
        """Count accounts and tokens."""
        with self._database.read() as session:
            return pb.GetUserSummaryResponse(**store.count_users(session))
